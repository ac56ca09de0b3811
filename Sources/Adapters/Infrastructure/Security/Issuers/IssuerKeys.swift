internal import EventLoop
package import HTTPClient
internal import Shared
internal import Synchronization
package import Telemetry
package import Time

/// The present keys of one issuer, for all loops of the process; fetched on one of them.
///
/// ``present`` does not wait. While the issuer cannot be reached, the keys that are known stay in use.
package final class IssuerKeys: Sendable {
    private let name: String
    private let state = Mutex(KeySetState())
    private let fetching: LoopBound<Fetching>
    private let logger: Logger
    private let now: @Sendable () -> Duration

    /// What lives on the loop that fetches.
    private final class Fetching {
        let fetch: KeySetFetch
        let flight: SingleFlight<Bool, Bool>
        var background: Task<Void, Never>?

        init(_ fetch: KeySetFetch, on loop: Loop) {
            self.fetch = fetch
            flight = SingleFlight(on: loop)
        }
    }

    /// Fetches by `transport`, on its loop; nothing is fetched before ``start()``, or before a caller asks for it.
    ///
    /// `limit` is for one attempt; `now` is a monotonic clock, for the age of what is known.
    package init(
        _ rules: IssuerRules,
        transport: HTTPTransport,
        logger: Logger,
        limit: Duration = .seconds(5),
        now: @escaping @Sendable () -> Duration = { MonotonicTime.now }
    ) {
        name = rules.name
        self.logger = logger
        self.now = now
        let loop = transport.loop
        let fetch = KeySetFetch(rules: rules, transport: transport, limit: limit)
        fetching = LoopBound(Fetching(fetch, on: loop), of: loop)
    }

    /// The keys that may verify at this moment.
    var present: KeySet { state.withLock { $0.usable(at: now()) } }

    /// Fetches the keys again for a caller whose key is not among them; true where the keys are the issuer's present
    /// ones.
    ///
    /// Callers share one attempt. An attempt that began less than ten seconds ago is not repeated; its result counts.
    func refresh() async -> Bool {
        let result = try? await fetching.loop.run { [self] _ in await attempt(fetching.onLoop, isCallers: true) }
        return result ?? false
    }

    /// Fetches the keys at once and then again and again.
    ///
    /// *Loop thread* of the transport.
    package func start() {
        let bound = fetching.onLoop
        bound.background = fetching.loop.spawn { [self] in
            repeat { _ = await attempt(fetching.onLoop, isCallers: false) } while await pause()
        }
    }

    /// Ends the attempts in the background; before the transport is closed.
    ///
    /// *Loop thread* of the transport.
    package func close() { fetching.onLoop.background?.cancel() }

    private func pause() async -> Bool {
        let pause = state.withLock { $0.pause }
        return (try? await fetching.loop.sleep(for: pause)) != nil
    }

    private func attempt(_ bound: Fetching, isCallers: Bool) async -> Bool {
        let result = await bound.flight.run(true) { [self] in
            let mayAttempt = state.withLock { state in
                guard !isCallers || state.mayAttempt(at: now()) else { return false }
                state.begin(at: now())
                return true
            }
            if mayAttempt { await fetch(bound.fetch) }
            return state.withLock { $0.isPresent }
        }
        return result ?? false
    }

    private func fetch(_ fetch: KeySetFetch) async {
        do throws(KeySetFetch.Failure) {
            let set = try await fetch.run()
            let wasPresent = state.withLock { state in
                defer { state.succeed(set, at: now()) }
                return state.isPresent
            }
            guard !wasPresent else { return }
            logger.info("issuer keys fetched", ["issuer": .string(name), "keys": .int(set.count)])
        } catch {
            state.withLock { $0.fail() }
            // Cancelled: the process ends.
            guard error != .http(.cancelled) else { return }
            logger.warning("issuer keys not fetched", ["issuer": .string(name), "error": .string("\(error)")])
        }
    }
}

extension MonotonicTime {
    /// The time since a fixed moment.
    package static var now: Duration { .nanoseconds(nanoseconds) }
}
