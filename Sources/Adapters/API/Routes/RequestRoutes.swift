internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `GET` and `DELETE /api/math/requests/{id}`.
struct RequestRoutes {
    let services: APIServices

    func read(_ context: RequestContext) async throws(Problem) {
        let id = try context.identifier(CorrelationID.self)
        let user = try services.authentication.user(of: context.request)
        var document = try await find(id, user)
        if !document.record.status.isTerminal, let limit = preferredWait(context.request.headers["Prefer"]) {
            await waitForEnd(of: document.record, within: limit, context)
            document = try await find(id, user)
        }
        respond(context, 200, document.record, document.answer)
    }

    func cancel(_ context: RequestContext) async throws(Problem) {
        let id = try context.identifier(CorrelationID.self)
        let user = try services.authentication.user(of: context.request)
        do {
            let output = try await services.cancel.handle(CancelMathRequest(correlationID: id, userID: user))
            respond(context, output.isOver ? 200 : 202, output.record, output.answer)
        } catch {
            switch error {
            case .notFound: throw .unknownRequest
            case .gone: throw .goneRequest
            case .unavailable: throw .storeUnavailable
            }
        }
    }

    private func respond(_ context: RequestContext, _ status: Int, _ record: RequestRecord, _ answer: String?) {
        let id = record.request.correlationID.description
        context.respond(
            status: status,
            headers: ["X-Correlation-ID": id],
            json: RequestDocument.json(record, answer: answer),
        )
    }

    /// The finished request as JSON; nil where it is not over within `limit`.
    func finished(
        _ id: CorrelationID,
        _ user: UserID,
        within limit: Duration,
        _ context: RequestContext
    ) async throws(Problem) -> [UInt8]? {
        let record = try await find(id, user).record
        guard await waitForEnd(of: record, within: limit, context) else { return nil }
        let document = try await find(id, user)
        return RequestDocument.json(document.record, answer: document.answer)
    }

    @discardableResult
    private func waitForEnd(
        of record: RequestRecord,
        within limit: Duration,
        _ context: RequestContext
    ) async -> Bool {
        let waiter = EndWaiter(registry: services.streams)
        context.exchange.onClose { waiter.giveUp() }
        return await waiter.wait(within: limit) { services.answers.watch(record, after: nil, viewer: $0) }
    }

    private func find(_ id: CorrelationID, _ user: UserID) async throws(Problem) -> ReadMathRequest.Output {
        do {
            return try await services.read.handle(ReadMathRequest(correlationID: id, userID: user))
        } catch {
            switch error {
            case .notFound: throw .unknownRequest
            case .gone: throw .goneRequest
            case .unavailable: throw .storeUnavailable
            }
        }
    }
}

extension Problem {
    /// The same for a request that is another user's, so that ids cannot be probed.
    static var unknownRequest: Problem { Problem(.notFound, "There is no such request, or it has expired.") }

    static var goneRequest: Problem {
        Problem(.gone, "The events of this request have expired, and nothing of its end was kept.")
    }
}
