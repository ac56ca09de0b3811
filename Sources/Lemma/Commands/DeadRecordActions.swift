internal import Application
internal import Console
internal import Domain
internal import Infrastructure
internal import Shared

/// `lemma dead-letters --records`: the records that PostgreSQL rejected or that cannot be decoded.
struct DeadRecordActions: DeadLettersCommand.Actions {
    let records: RedisDeadRecords

    func list(asJSON: Bool) async throws {
        let found = try await asking { try await records.list(upTo: DeadLetterOutput.listMax) }
        for record in found {
            if asJSON {
                try DeadLetterOutput.line(json: json(record))
            } else {
                try DeadLetterOutput.line([
                    "\(record.name)", "\(record.deadLetteredAt)", record.reason, record.kind ?? "-",
                    record.correlationID?.description ?? "-", record.detail,
                ])
            }
        }
        if found.isEmpty { Output.error.note("there are no dead records\n") }
    }

    private func json(_ record: DeadRecord) -> [UInt8] {
        JSONWriter.object { json in
            json.member("id", record.name.description)
            json.member("deadLetteredAt", record.deadLetteredAt.description)
            json.member("reason", record.reason)
            json.member("detail", record.detail)
            json.member("kind", record.kind)
            json.member("correlationId", record.correlationID?.description)
        }
    }

    func show(_ id: String, asJSON: Bool) async throws {
        let name = try DeadLetterOutput.name(id, of: "show")
        guard let fields = try await asking({ try await records.fields(of: name) }) else { throw unknown(id) }
        try DeadLetterOutput.write(name, fields, asJSON: asJSON)
    }

    func redrive(_ id: String) async throws {
        let name = try DeadLetterOutput.name(id, of: "redrive")
        switch try await asking({ try await records.redrive(name) }) {
        case .redriven:
            Output.error.note("a worker writes it into PostgreSQL; if that refuses it again, it comes back\n")
        case .unknown: throw unknown(id)
        case .unreadable, .conversationDeleted:
            throw CommandFailure("\(id) cannot be decoded; it can only be dropped")
        }
    }

    func drop(_ id: String) async throws {
        let name = try DeadLetterOutput.name(id, of: "drop")
        guard try await asking({ try await records.drop(name) }) else { throw unknown(id) }
    }

    private func unknown(_ id: String) -> CommandFailure { CommandFailure("there is no dead record \(id)") }

    private func asking<Answer>(_ read: () async throws -> Answer) async throws -> Answer {
        do { return try await read() } catch { throw DeadLetterOutput.unavailable }
    }
}
