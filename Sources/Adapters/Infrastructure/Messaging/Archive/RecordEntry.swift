internal import Application
internal import Domain
internal import RedisClient
internal import Shared

/// A decoded entry of a `finished` stream.
enum RecordEntry {
    /// The version of entries that this program writes and reads.
    static let version = 1

    case record(name: String, ArchiveEntry)
    /// Written by a later release, for its persisters.
    case laterVersion
    /// No release can read it; carries the entry's name.
    case malformed(String)

    private enum Kind: String {
        case submitted
        case finished
    }

    /// Reads an entry as XREADGROUP and XCLAIM return it.
    init(_ entry: RedisValue) { self.init(StreamEntry(entry, version: Self.version)) }

    /// Reads the fields of an entry.
    init(_ name: String, _ fields: [String: String]) {
        self.init(StreamEntry(name, fields, version: Self.version))
    }

    private init(_ entry: StreamEntry) {
        switch entry {
        case .fields(let name, let fields):
            self = Self.archiveEntry(fields).map { .record(name: name, $0) } ?? .malformed(name)
        case .laterVersion: self = .laterVersion
        case .malformed(let name): self = .malformed(name)
        }
    }

    private static func archiveEntry(_ fields: [String: String]) -> ArchiveEntry? {
        guard let id = fields["id"].flatMap({ CorrelationID($0) }),
            let kind = fields["kind"].flatMap({ Kind(rawValue: $0) })
        else { return nil }
        switch kind {
        case .submitted:
            return RequestHash.record(id, fields).map { .submitted($0.request, createdAt: $0.createdAt) }
        case .finished:
            let answer = fields["answer"] ?? ""
            return RequestHash.finished(id, answer: answer, fields).map { .finished($0) }
        }
    }
}
