import Lifecycle
import Synchronization

/// What happened, in order; any thread may write.
final class Journal: Sendable {
    private let state = Mutex<[String]>([])
    private let ready = Mutex<Set<String>>([])

    var entries: [String] { state.withLock { $0 } }

    func note(_ entry: String) { state.withLock { $0.append(entry) } }

    /// Apart from the entries: when readiness is noted relative to the next service's start is open.
    func noteReady(_ service: String) { ready.withLock { _ = $0.insert(service) } }

    /// True after the service has called `started`.
    func isReady(_ service: String) -> Bool { ready.withLock { $0.contains(service) } }

    func contains(_ entry: String) -> Bool { entries.contains(entry) }
}

/// Blocks tasks, cancelled ones too, until it is opened.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func open() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

struct Breakdown: Error, Equatable {
    let service: String
}

/// A service that records the calls it receives, and fails on demand.
struct ProbeService: Service {
    enum Manner: Sendable {
        case good
        case failsAtStart
        case neverReady
        /// Fails once the gate is open.
        case failsAt(Gate)
        /// Returns once the gate is open.
        case returnsAt(Gate)
        /// Drains until the gate is open.
        case drainsUntil(Gate)
        /// Returns by itself while it is drained.
        case endsByDraining(Gate)
        /// Throws while it closes.
        case failsClosing
        /// Ignores its cancellation until the gate is open.
        case closesAt(Gate)
    }

    let name: String
    let journal: Journal
    var manner = Manner.good
    var limits = ServiceLimits(start: .seconds(60), drain: .seconds(60), close: .seconds(60))

    func run(started: @escaping @Sendable () -> Void) async throws {
        journal.note("\(name) runs")
        if case .failsAtStart = manner { throw Breakdown(service: name) }
        if case .neverReady = manner {
        } else {
            started()
            journal.noteReady(name)
        }
        switch manner {
        case .failsAt(let gate):
            await gate.pass()
            throw Breakdown(service: name)
        case .returnsAt(let gate), .endsByDraining(let gate):
            await gate.pass()
        case .closesAt(let gate):
            await untilCancelled()
            await gate.pass()
        case .failsClosing:
            await untilCancelled()
            throw Breakdown(service: name)
        case .good, .failsAtStart, .neverReady, .drainsUntil:
            await untilCancelled()
            journal.note("\(name) closed")
            throw CancellationError()
        }
        journal.note("\(name) closed")
    }

    func drain() async {
        journal.note("\(name) drains")
        switch manner {
        case .drainsUntil(let gate): await gate.pass()
        case .endsByDraining(let gate):
            gate.open()
            await untilCancelled()
        case .good, .failsAtStart, .neverReady, .failsAt, .returnsAt, .failsClosing, .closesAt: break
        }
        journal.note("\(name) drained")
    }

    private func untilCancelled() async {
        // Longer than any test.
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
    }
}
