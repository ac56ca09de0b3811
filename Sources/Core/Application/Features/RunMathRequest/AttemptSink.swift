internal import Domain
internal import Time

/// Passes a provider's text on to the attempt's writer and takes its times.
final class AttemptSink: AnswerSink {
    private let writer: any AnswerWriter
    private let clock: any MonotonicClock
    private let startedAt: Duration
    private var firstTokenAt: Duration?
    /// Provider tokens so far, for the usage of an attempt that did not end by itself.
    private(set) var tokens = 0
    /// The answer so far, without the model's thinking.
    private(set) var answer = ""
    /// Who works on the attempt and what that has taken, as far as it is known.
    private(set) var account: ProviderAccount?

    init(writer: any AnswerWriter, clock: any MonotonicClock) {
        self.writer = writer
        self.clock = clock
        startedAt = clock.now
    }

    func receive(_ kind: AnswerText, _ text: String) {
        guard !text.isEmpty else { return }
        let text = text.storable
        if firstTokenAt == nil { firstTokenAt = clock.now }
        tokens += 1
        switch kind {
        case .token: answer += text
        case .reasoning: break
        }
        writer.append(kind, text)
    }

    func take(_ account: ProviderAccount) { self.account = account }

    var hasRoom: Bool { writer.hasRoom }

    func waitForRoom() async throws(CancellationError) {
        do {
            try await writer.waitForRoom()
        } catch {
            // The writer's failure has aborted the attempt already; the provider only needs to stop.
            throw CancellationError()
        }
    }

    var firstTokenMilliseconds: Int? { firstTokenAt.map { Int(($0 - startedAt).wholeMilliseconds) } }
    var elapsedMilliseconds: Int { Int((clock.now - startedAt).wholeMilliseconds) }
}
