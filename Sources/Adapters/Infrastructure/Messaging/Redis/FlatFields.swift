internal import RedisClient

extension RedisValue {
    /// What Redis gives as names and values in turn, in hashes and in stream entries; empty for any other reply.
    ///
    /// A name or value that is no UTF-8 is left out.
    var fields: [String: String] { Dictionary(fieldList.map { ($0.name, $0.value) }) { $1 } }

    /// The same in Redis' order.
    var fieldList: [(name: String, value: String)] {
        let flat = array ?? []
        return stride(from: 0, to: flat.count - 1, by: 2).compactMap { position in
            guard let name = flat[position].string, let value = flat[position + 1].string else { return nil }
            return (name, value)
        }
    }
}
