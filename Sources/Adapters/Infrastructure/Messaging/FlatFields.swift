internal import RedisClient

extension RedisValue {
    /// What Redis gives as names and values in turn, in hashes and in stream entries; empty for any other reply.
    ///
    /// A name or value that is no UTF-8 is left out.
    var fields: [String: String] {
        let flat = array ?? []
        var fields: [String: String] = [:]
        for position in stride(from: 0, to: flat.count - 1, by: 2) {
            if let name = flat[position].string, let value = flat[position + 1].string { fields[name] = value }
        }
        return fields
    }
}
