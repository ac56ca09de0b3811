internal import Application
internal import Console
internal import Domain
internal import Infrastructure
internal import Shared

/// `lemma dead-letters` for jobs.
struct DeadJobActions: DeadLettersCommand.Actions {
    let letters: RedisDeadLetters
    let audit: any AuditLog

    func list(asJSON: Bool) async throws {
        let found: [DeadLetter]
        do {
            let query = ListDeadLetters(count: DeadLetterOutput.listMax)
            found = try await ListDeadLettersHandler(letters: letters).handle(query)
        } catch {
            throw DeadLetterOutput.unavailable
        }
        for letter in found {
            if asJSON {
                try DeadLetterOutput.line(json: json(letter))
            } else {
                try DeadLetterOutput.line([
                    "\(letter.name)", "\(letter.deadLetteredAt)", letter.reason, "\(letter.attempts)",
                    letter.correlationID?.description ?? "-", letter.lastFailure?.detail ?? "",
                ])
            }
        }
        if found.isEmpty { Output.error.note("there are no dead letters\n") }
    }

    private func json(_ letter: DeadLetter) -> [UInt8] {
        JSONWriter.object { json in
            json.member("id", letter.name.description)
            json.member("deadLetteredAt", letter.deadLetteredAt.description)
            json.member("reason", letter.reason)
            json.member("correlationId", letter.correlationID?.description)
            json.member("attempts", letter.attempts)
            json.member("error", letter.lastFailure?.kind.rawValue)
            json.member("detail", letter.lastFailure?.detail)
            json.member("origin", letter.origin)
            json.member("redriveOf", letter.redriveOf?.description)
        }
    }

    func show(_ id: String, asJSON: Bool) async throws {
        let letter = try DeadLetterOutput.name(id, of: "show")
        let fields: [DeadLetterField]?
        do {
            fields = try await letters.fields(of: letter)
        } catch {
            throw DeadLetterOutput.unavailable
        }
        guard let fields else { throw CommandFailure("there is no dead letter \(id)") }
        try DeadLetterOutput.write(letter, fields, asJSON: asJSON)
    }

    func redrive(_ id: String) async throws {
        let letter = try DeadLetterOutput.name(id, of: "redrive")
        let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
        let handler = RedriveDeadLetterHandler(letters: letters, identifiers: identifiers)
        let request: CorrelationID
        do {
            request = try await handler.handle(RedriveDeadLetter(letter: letter))
        } catch {
            switch error {
            case .unknown: throw CommandFailure("there is no dead letter \(id); was it redriven already?")
            case .unreadable: throw CommandFailure("\(id) cannot be decoded; it can only be dropped")
            case .conversationDeleted:
                throw CommandFailure("the conversation of \(id) was deleted by its user; it can only be dropped")
            case .unavailable: throw DeadLetterOutput.unavailable
            }
        }
        audit.record(AuditEntry(.deadLetterRedrive, .success, subject: letter.description))
        try Output.standard.write("\(request)\n")
    }

    func drop(_ id: String) async throws {
        let letter = try DeadLetterOutput.name(id, of: "drop")
        do throws(DropDeadLetter.Failure) {
            try await DropDeadLetterHandler(letters: letters).handle(DropDeadLetter(letter: letter))
        } catch {
            switch error {
            case .unknown: throw CommandFailure("there is no dead letter \(id)")
            case .unavailable: throw DeadLetterOutput.unavailable
            }
        }
        audit.record(AuditEntry(.deadLetterDrop, .success, subject: letter.description))
    }
}
