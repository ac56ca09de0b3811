internal import RedisClient

/// An entry of one of the streams, by the version of its fields.
enum StreamEntry {
    case fields(name: String, [String: String])
    /// Written by a later release, for its workers.
    case laterVersion
    /// No release can read it; carries the entry's name.
    case malformed(String)

    /// Reads an entry as XREADGROUP and XCLAIM return it; its `v` should be `version`.
    init(_ entry: RedisValue, version: Int) {
        guard let parts = entry.array, let name = parts.first?.string else {
            self = .malformed("0-0")
            return
        }
        self.init(name, parts.count == 2 ? parts[1].fields : [:], version: version)
    }

    init(_ name: String, _ fields: [String: String], version: Int) {
        guard let written = fields["v"].flatMap({ Int($0) }), written > 0 else {
            self = .malformed(name)
            return
        }
        self = written == version ? .fields(name: name, fields) : .laterVersion
    }
}
