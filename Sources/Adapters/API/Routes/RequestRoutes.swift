internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `GET` and `DELETE /api/math/requests/{id}`.
struct RequestRoutes {
    let services: APIServices

    func read(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(CorrelationID.self)
        let user = caller.user
        let limit = preferredWait(context.request.headers["Prefer"])
        var document = try await find(id, user)
        if !document.record.status.isTerminal, let limit {
            _ = try await waitForEnd(of: document.record.request, for: caller, within: limit, context)
            document = try await find(id, user)
        }
        respond(context, 200, document.record, document.answer)
    }

    func cancel(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(CorrelationID.self)
        do throws(APIProblem) {
            let output = try await cancelled(id, caller.user)
            services.audit.record(.abort, by: caller, context, subject: id.description)
            respond(context, output.isOver ? 200 : 202, output.record, output.answer)
        } catch {
            services.audit.record(.abort, preventedBy: error, by: caller, context, subject: id.description)
            throw error
        }
    }

    private func cancelled(
        _ id: CorrelationID,
        _ user: UserID
    ) async throws(APIProblem) -> CancelMathRequest.Output {
        do {
            return try await services.cancel.handle(CancelMathRequest(correlationID: id, userID: user))
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
        _ output: SolveMathProblem.Output,
        _ caller: Caller,
        within limit: Duration,
        _ context: RequestContext
    ) async throws(APIProblem) -> [UInt8]? {
        let id = output.correlationID
        let request: MathRequest
        if let accepted = output.accepted {
            request = accepted.request
        } else {
            let earlier = try await find(id, caller.user)
            if earlier.record.status.isTerminal {
                return RequestDocument.json(earlier.record, answer: earlier.answer)
            }
            request = earlier.record.request
        }
        guard try await waitForEnd(of: request, for: caller, within: limit, context) else { return nil }
        let document = try await find(id, caller.user)
        return RequestDocument.json(document.record, answer: document.answer)
    }

    private func waitForEnd(
        of request: MathRequest,
        for caller: Caller,
        within limit: Duration,
        _ context: RequestContext
    ) async throws(APIProblem) -> Bool {
        let waiter = services.ends.waiter(for: request)
        context.exchange.onClose { waiter.cancel() }
        return try await services.streams.wait(for: waiter, of: caller.access, within: limit)
    }

    private func find(_ id: CorrelationID, _ user: UserID) async throws(APIProblem) -> ReadMathRequest.Output {
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

extension APIProblem {
    /// The same for an unknown request and for another user's, so that ids cannot be probed.
    static var unknownRequest: APIProblem { APIProblem(.notFound, "There is no such request, or it has expired.") }

    static var goneRequest: APIProblem {
        APIProblem(.gone, "The events of this request have expired, and nothing of its end was kept.")
    }
}
