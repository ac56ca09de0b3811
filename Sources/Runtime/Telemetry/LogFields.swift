internal import Time

/// The value of a field of a log line.
package enum LogValue: Sendable, Hashable, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    case string(String)
    case int(Int)
    case double(Double)
    case bool(Bool)

    /// A text.
    package init(stringLiteral value: String) { self = .string(value) }
    /// An integer.
    package init(integerLiteral value: Int) { self = .int(value) }
    /// A number.
    package init(floatLiteral value: Double) { self = .double(value) }
    /// A truth value.
    package init(booleanLiteral value: Bool) { self = .bool(value) }

    /// An error's description.
    package static func error(_ error: any Error) -> LogValue { .string(String(describing: error)) }

    /// A duration in milliseconds, with microseconds as fraction.
    package static func milliseconds(_ duration: Duration) -> LogValue {
        .double(Double(duration.wholeMicroseconds) / 1_000)
    }
}

/// Named values of a log line, in order.
///
/// Keys are snake case and written as given.
///
/// The keys `time`, `level`, `message`, `service` and `version` are reserved for the line itself.
package struct LogFields: Sendable, ExpressibleByDictionaryLiteral {
    private(set) var entries: [(key: String, value: LogValue)]

    /// Fields in the order written; each key once.
    package init(dictionaryLiteral elements: (String, LogValue)...) {
        entries = elements.map { (key: $0.0, value: $0.1) }
        assert(entries.allSatisfy { !Self.reserved.contains($0.key) }, "a log field has a reserved name")
    }

    /// The value of a key; setting an existing key does not move it, nil removes it.
    package subscript(key: String) -> LogValue? {
        get { entries.first { $0.key == key }?.value }
        set {
            assert(!Self.reserved.contains(key), "a log field has a reserved name")
            let index = entries.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): entries[index].value = value
            case (let index?, nil): entries.remove(at: index)
            case (nil, let value?): entries.append((key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// These fields and those of `other`, which takes precedence.
    package func merging(_ other: LogFields) -> LogFields {
        if entries.isEmpty { return other }
        var result = self
        for entry in other.entries { result[entry.key] = entry.value }
        return result
    }

    private static let reserved: Set<String> = ["time", "level", "message", "service", "version"]
}
