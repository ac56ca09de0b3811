internal import Application
internal import RedisClient
internal import Shared

/// A decoded entry of a job stream.
enum JobEntry {
    /// The version of entries that this program writes and runs.
    static let version = 1

    case job(JobDelivery)
    /// Written by a later release, for its workers.
    case laterVersion
    /// No release can run it; carries the entry's name.
    case malformed(String)

    /// Reads an entry as XREADGROUP and XCLAIM return it.
    init(_ entry: RedisValue) {
        switch StreamEntry(entry, version: Self.version) {
        case .fields(let name, let fields): self = Self.delivery(name, fields).map { .job($0) } ?? .malformed(name)
        case .laterVersion: self = .laterVersion
        case .malformed(let name): self = .malformed(name)
        }
    }

    private static func delivery(_ name: String, _ fields: [String: String]) -> JobDelivery? {
        guard let id = fields["id"].flatMap({ CorrelationID($0) }) else { return nil }
        let requested = fields["provider"].flatMap { $0.isEmpty ? nil : $0 }
        return JobDelivery(entry: name, correlationID: id, requestedProvider: requested)
    }
}
