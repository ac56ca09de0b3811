internal import Application
internal import EventLoop

/// Runs one request through the providers: one after the other, or side by side where one is late.
///
/// ```
///  start the first ─► first token of any ─► it has won: the others are cut; its end is the end
///        ▲               │ failed, none runs        │ rejected: no other helps
///        └── the next ◄──┤                          └─► end
///                        └ silent for `hedgeAfter`: the next starts too
/// ```
/// Only the winner's text reaches the sink. Loop-owned.
final class ProviderRace {
    private let request: ProviderRequest
    private let candidates: [GuardedProvider]
    private let sink: any AnswerSink
    private let hedgeAfter: Duration?
    private let loop: Loop
    private let clock: any MonotonicClock
    private var lanes: [RaceLane] = []
    private var winner: RaceLane?
    private var lastFailure: ProviderFailure?
    private var news: OneShot<Void>
    private var patience: Task<Void, Never>?

    /// `candidates` are in the order of preference; at least one.
    init(
        _ request: ProviderRequest,
        candidates: [GuardedProvider],
        into sink: any AnswerSink,
        hedgeAfter: Duration?,
        loop: Loop,
        clock: any MonotonicClock
    ) {
        self.request = request
        self.candidates = candidates
        self.sink = sink
        self.hedgeAfter = hedgeAfter
        self.loop = loop
        self.clock = clock
        news = OneShot(loop: loop)
    }

    func run() async throws(ProviderFailure) -> Solution {
        startNext()
        var end: Result<Solution, ProviderFailure>?
        while end == nil {
            if (try? await news.value()) == nil {
                end = .failure(.cancelled)
            } else {
                news = OneShot(loop: loop)
                end = decide()
            }
        }
        patience?.cancel()
        for lane in lanes { lane.task?.cancel() }
        // No call of this request continues after its end.
        for lane in lanes { await lane.task?.value }
        return try (end ?? .failure(.cancelled)).get()
    }

    private func startNext() {
        let provider = candidates[lanes.count]
        let lane = RaceLane(self)
        lanes.append(lane)
        let isLast = lanes.count == candidates.count
        lane.task = loop.spawn { [self] in
            do throws(ProviderFailure) {
                lane.result = .success(try await provider.solve(request, into: lane, mayWait: isLast))
            } catch {
                lane.result = .failure(error)
                lastFailure = error
            }
            news.succeed(())
        }
        patience?.cancel()
        guard !isLast, let hedgeAfter else { return }
        patience = loop.spawn { [self] in
            guard (try? await clock.sleep(for: hedgeAfter)) != nil, winner == nil else { return }
            candidates[lanes.count].countHedge()
            startNext()
        }
    }

    /// The result of the race so far; nil while it continues.
    private func decide() -> Result<Solution, ProviderFailure>? {
        if let winner { return winner.result }
        for case .some(let result) in lanes.map(\.result) {
            switch result {
            // An answer without text, such as one that a filter suppressed.
            case .success, .failure(.rejected), .failure(.cancelled): return result
            case .failure(.timedOut), .failure(.unavailable), .failure(.busy), .failure(.noRoom), .failure(.refused),
                .failure(.adapted):
                break
            }
        }
        guard lanes.allSatisfy({ $0.result != nil }) else { return nil }
        if lanes.count < candidates.count {
            startNext()
            return nil
        }
        return .failure(failure)
    }

    /// The failure that best predicts when another attempt helps: that of a provider without a free call slot, else the
    /// one with the shortest pause, the last of several.
    private var failure: ProviderFailure {
        var best = lastFailure ?? .cancelled
        for case .failure(let failure)? in lanes.map(\.result) {
            if case .noRoom = best { break }
            if case .noRoom = failure { best = failure }
            guard let pause = failure.pauseBeforeNextAttempt else { continue }
            if best.pauseBeforeNextAttempt.map({ pause < $0 }) ?? true { best = failure }
        }
        return best
    }

    // MARK: The lanes' side

    fileprivate func receive(_ kind: AnswerText, _ text: String, from lane: RaceLane) {
        if winner == nil { declareWinner(lane) }
        if winner === lane { sink.receive(kind, text) }
    }

    private func declareWinner(_ lane: RaceLane) {
        winner = lane
        patience?.cancel()
        for other in lanes where other !== lane {
            other.isOutrun = true
            other.task?.cancel()
        }
    }

    fileprivate func take(_ account: ProviderAccount, from lane: RaceLane) {
        if winner == nil || winner === lane { sink.take(account) }
    }

    fileprivate var hasRoom: Bool { sink.hasRoom }

    fileprivate func waitForRoom() async throws(CancellationError) { try await sink.waitForRoom() }
}

extension ProviderFailure {
    /// After what time another attempt may succeed; nil where it will end the same.
    fileprivate var pauseBeforeNextAttempt: Duration? {
        switch self {
        case .unavailable(_, let wish), .busy(_, let wish): wish ?? .zero
        case .noRoom(_, let pause): pause
        case .timedOut, .adapted: .zero
        case .cancelled, .refused, .rejected: nil
        }
    }
}

/// One provider's place in a race.
final class RaceLane: AnswerSink {
    private unowned let race: ProviderRace
    fileprivate(set) var task: Task<Void, Never>?
    fileprivate(set) var result: Result<Solution, ProviderFailure>?
    /// True once another one has won.
    fileprivate(set) var isOutrun = false

    fileprivate init(_ race: ProviderRace) { self.race = race }

    func receive(_ kind: AnswerText, _ text: String) { race.receive(kind, text, from: self) }
    func take(_ account: ProviderAccount) { race.take(account, from: self) }
    var hasRoom: Bool { race.hasRoom }
    func waitForRoom() async throws(CancellationError) { try await race.waitForRoom() }
}
