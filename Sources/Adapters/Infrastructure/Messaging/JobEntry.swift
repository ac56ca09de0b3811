internal import Application
internal import RedisClient
internal import Shared

/// What an entry of a job stream is.
enum JobEntry {
    /// The version of entries that this program writes and runs.
    static let version = 1

    case job(JobDelivery)
    /// Written by a later release: for its workers.
    case laterVersion
    /// No release could run it; carries the entry's name.
    case malformed(String)

    /// Reads an entry as XREADGROUP and XCLAIM give it.
    init(_ entry: RedisValue) {
        guard let parts = entry.array, let name = parts.first?.string else {
            self = .malformed("0-0")
            return
        }
        let fields = parts.count == 2 ? parts[1].fields : [:]
        guard let version = fields["v"].flatMap({ Int($0) }), version > 0 else {
            self = .malformed(name)
            return
        }
        guard version == Self.version else {
            self = .laterVersion
            return
        }
        guard let id = fields["id"].flatMap({ CorrelationID($0) }) else {
            self = .malformed(name)
            return
        }
        let wish = fields["provider"].flatMap { $0.isEmpty ? nil : $0 }
        self = .job(JobDelivery(entry: name, correlationID: id, requestedProvider: wish))
    }
}
