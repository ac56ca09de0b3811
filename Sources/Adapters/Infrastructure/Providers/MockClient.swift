package import Application
package import Domain
internal import Shared
internal import Time

/// A provider that makes its answer up: deterministic, paced, and failing on demand.
///
/// - `echo` gives the problem's words, each followed by one space, from the start again until there are enough tokens.
/// - `conversation` gives the conversation before the problem, likewise word by word: `…` for turns
///   that were left out, then for each turn `Q:`, the problem, `A:` and the answer, and at last `Q:` and the problem.
/// - `timestamps` gives the monotonic clock in nanoseconds and a space, so that a client on the same machine can measure
///   delivery.
package struct MockClient: AIStreamingClient {
    /// Tokens emitted without a pause before other work on the loop gets its turn.
    private static let burst = 64

    package struct Options: Sendable {
        package enum Content: Sendable {
            case echo
            case conversation
            case timestamps
        }

        /// Tokens of an answer; nil gives the problem's words once.
        package var tokens: Int?
        package var firstTokenDelay: Duration
        package var tokenDelay: Duration
        package var content: Content

        package init(tokens: Int?, firstTokenDelay: Duration, tokenDelay: Duration, content: Content) {
            self.tokens = tokens
            self.firstTokenDelay = firstTokenDelay
            self.tokenDelay = tokenDelay
            self.content = content
        }
    }

    package static let model = "mock-1"

    package let identity = ProviderIdentity(name: "mock", model: model)

    private let options: Options
    private let script: MockScript
    private let clock: any MonotonicClock

    package init(options: Options, script: MockScript, clock: any MonotonicClock) {
        self.options = options
        self.script = script
        self.clock = clock
    }

    package func stream(
        _ request: ProviderRequest,
        into sink: any AnswerSink
    ) async throws(ProviderFailure) -> FinishReason {
        let words = text(of: request).split(whereSeparator: \.isWhitespace).map { "\($0) " }
        let wanted = options.tokens ?? words.count
        let allowed = min(wanted, request.options.maxOutputTokens ?? wanted)
        let action = script.action(for: request.problem.text)
        if action == .reject { throw .rejected(detail: "The mock provider rejects this problem by its script.") }

        let start = clock.now + options.firstTokenDelay
        var sent = 0
        while sent < allowed {
            try await misbehave(action, sent)
            try await wait(until: start + options.tokenDelay * sent)
            // Everything that is due by now, in one go.
            repeat {
                sink.receive(.token, token(sent, words))
                sent += 1
            } while sent < allowed && sent % Self.burst != 0 && isDue(start + options.tokenDelay * sent, action, sent)
            let usage = TokenUsage(inputTokens: words.count, outputTokens: sent, isEstimated: false)
            sink.take(ProviderAccount(provider: identity, usage: usage))
            do { try await sink.waitForRoom() } catch { throw .cancelled }
        }
        try await misbehave(action, sent)
        return action == .contentFilter ? .contentFilter : allowed < wanted ? .length : .stop
    }

    /// What an answer is made of.
    private func text(of request: ProviderRequest) -> String {
        switch options.content {
        case .echo, .timestamps: return request.problem.text
        case .conversation:
            let context = request.context
            let turns = context.turns.map { "Q: \($0.problem) A: \($0.answer)\($0.isPartial ? " (broken off)" : "")" }
            let omission = context.omitsEarlierTurns ? ["…"] : []
            return (omission + turns + ["Q: \(request.problem.text)"]).joined(separator: " ")
        }
    }

    private func token(_ index: Int, _ words: [String]) -> String {
        switch options.content {
        case .echo, .conversation: words.isEmpty ? " " : words[index % words.count]
        case .timestamps: "\(clock.now.wholeNanoseconds) "
        }
    }

    private func isDue(_ moment: Duration, _ action: MockScript.Action, _ sent: Int) -> Bool {
        guard action == .answer else { return false }
        return options.tokenDelay == .zero || clock.now >= moment
    }

    private func wait(until moment: Duration) async throws(ProviderFailure) {
        let delay = moment - clock.now
        do {
            // Even without a delay the loop gets its turn, so that a long answer does not hold up the others.
            try await clock.sleep(for: max(delay, .zero))
        } catch {
            throw .cancelled
        }
    }

    private func misbehave(_ action: MockScript.Action, _ sent: Int) async throws(ProviderFailure) {
        switch action {
        case .fail(after: sent): throw .unavailable(detail: "The mock provider failed by its script.")
        case .hang(after: sent):
            do {
                while true { try await clock.sleep(for: .seconds(3600)) }
            } catch {
                throw .cancelled
            }
        case .answer, .reject, .contentFilter, .fail, .hang: break
        }
    }
}
