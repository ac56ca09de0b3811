package import Application
package import Domain
package import LocalMath

/// The provider that needs no key: solves on this machine.
package struct LocalClient: AIStreamingClient {
    package static let model = "libqalculate"

    package let identity = ProviderIdentity(name: "local", model: model)

    /// The pause before the next attempt of a request that could not be begun.
    private static let busyPause = Duration.seconds(1)

    private let solver: LocalSolver

    package init(solver: LocalSolver) { self.solver = solver }

    package func stream(
        _ request: ProviderRequest,
        into sink: any AnswerSink
    ) async throws(ProviderFailure) -> FinishReason {
        var tokens = 0
        do throws(LocalSolverFailure) {
            try await solver.solve(request.problem.text) { text in
                tokens += 1
                sink.receive(.token, text)
            }
        } catch {
            switch error {
            case .cancelled: throw .cancelled
            case .busy:
                let detail = "The provider local has as many problems in hand as it may have."
                throw .noRoom(detail: detail, retryAfter: Self.busyPause)
            }
        }
        let words = request.problem.text.split(whereSeparator: \.isWhitespace).count
        let usage = TokenUsage(inputTokens: words, outputTokens: tokens, isEstimated: false)
        sink.take(ProviderAccount(provider: identity, usage: usage))
        do { try await sink.waitForRoom() } catch { throw .cancelled }
        return .stop
    }
}
