internal import Shared

/// A JSON object by the grammar, without repeated members: what tokens, key sets and the file of issuers consist of.
///
/// A member of another type than the one asked for is nil, as is one that is missing; ``has(_:)`` tells them apart.
struct StrictObject {
    private let value: JSONValue

    /// Nil for anything but one object, also for one with a byte-order mark before it.
    init?(_ bytes: [UInt8]) {
        guard let value = StrictObject.value(bytes) else { return nil }
        self.init(value)
    }

    init?(_ value: JSONValue) {
        guard value.isObject else { return nil }
        self.value = value
    }

    /// A value by the grammar; nil for any other text.
    static func value(_ bytes: [UInt8]) -> JSONValue? {
        do {
            // The reader takes more than the grammar, but reads what the grammar allows as it stands.
            try JSONSyntax.check(bytes)
            return try JSONReader.value(bytes)
        } catch {
            return nil
        }
    }

    var names: [String] {
        guard case .object(let members) = value else { return [] }
        return members.map(\.name)
    }

    subscript(name: String) -> JSONValue? { value[name] }

    /// True for a member that is there and not null.
    func has(_ name: String) -> Bool { value[name] != nil }

    func string(_ name: String) -> String? { value[name]?.string }

    /// The elements of an array of strings, or a string alone as the only one; nil for anything else.
    func strings(_ name: String) -> [String]? { value[name]?.strings }

    /// A JSON number, in whole milliseconds where it counts seconds (NumericDate of RFC 7519); nil outside of the years
    /// that a clock can show.
    func time(_ name: String) -> Timestamp? {
        guard case .number(let text)? = value[name], let seconds = Double(text), abs(seconds) < 1e12 else { return nil }
        return Timestamp(milliseconds: Int64((seconds * 1000).rounded()))
    }
}

extension JSONValue {
    /// The elements of an array of strings, or a string alone as the only one; nil for anything else.
    var strings: [String]? {
        switch self {
        case .string(let text): [text]
        case .array(let values):
            values.reduce(into: [String]?([])) { texts, value in
                if let text = value.string { texts?.append(text) } else { texts = nil }
            }
        case .null, .bool, .number, .object: nil
        }
    }
}
