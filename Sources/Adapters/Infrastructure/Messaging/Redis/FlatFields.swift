internal import RedisClient

extension RedisValue {
    /// A flat list of names and values, as hashes and stream entries are returned; empty for any other reply.
    ///
    /// A name or value that is not UTF-8 is left out.
    var fields: [String: String] { Dictionary(fieldList.map { ($0.name, $0.value) }) { $1 } }

    /// The same in the order of Redis.
    var fieldList: [(name: String, value: String)] {
        let flat = array ?? []
        return stride(from: 0, to: flat.count - 1, by: 2).compactMap { index in
            guard let name = flat[index].string, let value = flat[index + 1].string else { return nil }
            return (name, value)
        }
    }
}
