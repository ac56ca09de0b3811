/// One value of a provider's JSON, read as far as it makes sense: a member of another type than expected is absent.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// As it was written: a model's token may be a number.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])
}

/// A member of an object.
package struct JSONMember: Sendable, Equatable {
    let name: String
    let value: JSONValue
}

extension JSONValue {
    /// The member of that name that is not null; of several the last, as in JavaScript.
    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        let value = members.last { $0.name == name }?.value
        return value == .null ? nil : value
    }

    /// The first of these members that is there.
    package func first(of names: String...) -> JSONValue? {
        for name in names { if let value = self[name] { return value } }
        return nil
    }

    package var string: String? { if case .string(let text) = self { text } else { nil } }

    package var isObject: Bool { if case .object = self { true } else { false } }

    /// The elements of an array; a single value counts as an array of one.
    package var elements: [JSONValue] { if case .array(let values) = self { values } else { [self] } }

    /// An integer, also where it is written as a text or with a fraction of zero.
    package var integer: Int? {
        switch self {
        case .number(let text), .string(let text):
            if let number = Int(text) { return number }
            guard let number = Double(text), number.rounded() == number, abs(number) < 1e15 else { return nil }
            return Int(number)
        case .null, .bool, .array, .object: return nil
        }
    }

    /// True for `true`, in whatever form.
    package var isTrue: Bool {
        switch self {
        case .bool(let flag): flag
        case .string(let text): text.lowercased() == "true"
        case .number(let text): Double(text) == 1
        case .null, .array, .object: false
        }
    }
}
