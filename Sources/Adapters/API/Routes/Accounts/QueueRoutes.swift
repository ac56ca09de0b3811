internal import Application
internal import Domain
internal import HTTPServer
internal import Problems
internal import Shared
internal import Time

/// `/api/admin/dead-letters`, the paths below it, and `GET /api/admin/queue`.
struct QueueRoutes {
    let admin: AdminServices
    let audit: AuditTrail

    func levels(_: Caller, _ context: RequestContext) async throws(APIProblem) {
        let levels: QueueLevels
        do {
            levels = try await admin.queueLevels.handle(ReadQueueLevels())
        } catch {
            throw .storeUnavailable
        }
        let json = JSONWriter.object { json in
            json.member("waiting", levels.waiting)
            json.member("claimed", levels.claimed)
            json.member("delayed", levels.delayed)
            json.member("dead", levels.dead)
            json.member("inConversationQueues", levels.inConversationQueues)
            json.member("oldestWaitingMs", Int(levels.oldestWaiting.wholeMilliseconds))
            json.member("oldestClaimIdleMs", Int(levels.longestSilence.wholeMilliseconds))
        }
        context.respond(status: 200, json: json)
    }

    func deadLetters(_: Caller, _ context: RequestContext) async throws(APIProblem) {
        let size = try PageSize(limit: context.request.query)
        let letters: [DeadLetter]
        do {
            letters = try await admin.listDeadLetters.handle(ListDeadLetters(count: size.count))
        } catch {
            throw .storeUnavailable
        }
        let json = JSONWriter.object { json in
            json.member("items", array: letters) { json, letter in json.object { write(letter, &$0) } }
        }
        context.respond(status: 200, json: json)
    }

    /// Without the problem: it is its user's.
    private func write(_ letter: DeadLetter, _ json: inout JSONWriter) {
        json.member("id", letter.name.description)
        json.member("deadLetteredAt", letter.deadLetteredAt.description)
        json.member("reason", letter.reason)
        json.member("correlationId", letter.correlationID?.description)
        json.member("attempts", letter.attempts)
        if let failure = letter.lastFailure {
            json.member("error", object: { $0.problem(failure.kind, detail: failure.detail) })
        }
        json.member("redriveOf", letter.redriveOf?.description)
    }

    func redrive(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let letter = try letter(context)
        do throws(APIProblem) {
            let id = try await redriven(letter)
            audit.record(.deadLetterRedrive, by: caller, context, subject: letter.description)
            let json = JSONWriter.object { $0.member("correlationId", id.description) }
            context.respond(status: 202, headers: ["X-Correlation-ID": id.description], json: json)
        } catch {
            audit.record(.deadLetterRedrive, preventedBy: error, by: caller, context, subject: letter.description)
            throw error
        }
    }

    private func redriven(_ letter: DeadLetterName) async throws(APIProblem) -> CorrelationID {
        do {
            return try await admin.redriveDeadLetter.handle(RedriveDeadLetter(letter: letter))
        } catch {
            switch error {
            case .unknown: throw .unknownDeadLetter
            case .unreadable:
                let message = "names a job that cannot be read: it has no problem to submit again"
                throw .invalid(ValidationFailure([.init(field: "id", message: message)]))
            case .conversationDeleted:
                throw APIProblem(.notFound, "The problem was deleted with its conversation.")
            case .unavailable: throw .storeUnavailable
            }
        }
    }

    func drop(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let letter = try letter(context)
        do throws(APIProblem) {
            try await drop(letter)
        } catch {
            audit.record(.deadLetterDrop, preventedBy: error, by: caller, context, subject: letter.description)
            throw error
        }
        audit.record(.deadLetterDrop, by: caller, context, subject: letter.description)
        context.respond(HTTPResponse(status: 204))
    }

    private func drop(_ letter: DeadLetterName) async throws(APIProblem) {
        do {
            try await admin.dropDeadLetter.handle(DropDeadLetter(letter: letter))
        } catch {
            switch error {
            case .unknown: throw .unknownDeadLetter
            case .unavailable: throw .storeUnavailable
            }
        }
    }

    private func letter(_ context: RequestContext) throws(APIProblem) -> DeadLetterName {
        guard let name = context.parameter.flatMap({ DeadLetterName(String($0)) }) else {
            throw APIProblem(.malformedRequest, "The id in the path must be that of a dead letter.")
        }
        return name
    }
}

extension APIProblem {
    fileprivate static var unknownDeadLetter: APIProblem { APIProblem(.notFound, "There is no such dead letter.") }
}
