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
        let cursor = limit == nil ? nil : try await lastEvent(of: id)
        var document = try await find(id, user)
        if !document.record.status.isTerminal, let limit {
            _ = await waitForEnd(of: document.record, after: cursor, within: limit, context)
            document = try await find(id, user)
        }
        respond(context, 200, document.record, document.answer)
    }

    func cancel(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let id = try context.identifier(CorrelationID.self)
        do {
            let output = try await services.cancel.handle(CancelMathRequest(correlationID: id, userID: caller.user))
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
    ) async throws(APIProblem) -> [UInt8]? {
        let cursor = try await lastEvent(of: id)
        let record = try await find(id, user).record
        guard await waitForEnd(of: record, after: cursor, within: limit, context) else { return nil }
        let document = try await find(id, user)
        return RequestDocument.json(document.record, answer: document.answer)
    }

    /// `cursor` was read before `record`, so that the end of a request that is not over comes after it.
    private func waitForEnd(
        of record: RequestRecord,
        after cursor: EventID?,
        within limit: Duration,
        _ context: RequestContext
    ) async -> Bool {
        // Its end may be the cursor itself, after which nothing comes.
        guard !record.status.isTerminal else { return true }
        let end = services.ends.watchEnd(of: record, after: cursor)
        context.exchange.onClose { end.giveUp() }
        return await services.streams.wait(for: end, within: limit)
    }

    private func lastEvent(of id: CorrelationID) async throws(APIProblem) -> EventID? {
        do {
            return try await services.requests.lastEvent(of: id)
        } catch {
            throw .storeUnavailable
        }
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
