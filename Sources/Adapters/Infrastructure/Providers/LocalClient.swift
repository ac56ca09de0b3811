package import Application
package import Domain
package import LocalMath

/// The provider that needs no key: solves on this machine.
package struct LocalClient: AIStreamingClient {
    package static let model = "libqalculate"

    package let identity = ProviderIdentity(name: "local", model: model)

    private let solver: LocalSolver

    package init(solver: LocalSolver) { self.solver = solver }

    package func stream(_ question: Question, into sink: any AnswerSink) async throws(ProviderFailure) -> FinishReason {
        var tokens = 0
        do {
            try await solver.solve(question.problem.text) { text in
                tokens += 1
                sink.receive(.token, text)
            }
        } catch {
            throw .cancelled
        }
        let words = question.problem.text.split(whereSeparator: \.isWhitespace).count
        let usage = TokenUsage(inputTokens: words, outputTokens: tokens, isEstimated: false)
        sink.take(ProviderAccount(provider: identity, usage: usage))
        do { try await sink.waitForRoom() } catch { throw .cancelled }
        return .stop
    }
}
