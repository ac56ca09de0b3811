/// A parameter of a statement, with a type also where it is null.
///
/// The type is sent with the parameter, so that the server infers nothing.
package enum PostgresValue: Sendable {
    /// Must not contain U+0000, which PostgreSQL cannot store.
    case text(String?)
    case uuid(PostgresUUID?)
    case integer(Int64?)
    case double(Double?)
    case boolean(Bool?)
    case timestamp(PostgresTimestamp?)
    case texts([String?])
    case uuids([PostgresUUID?])
    case integers([Int64?])
    case doubles([Double?])
    case booleans([Bool?])
    case timestamps([PostgresTimestamp?])
}

/// The 128 bits of a `uuid`.
package struct PostgresUUID: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// A `timestamptz`, in whole milliseconds of Unix time.
package struct PostgresTimestamp: Sendable, Hashable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// PostgreSQL counts microseconds from 2000-01-01.
    private static let epoch: Int64 = 946_684_800_000

    init(wire microseconds: Int64) {
        // Rounded down, also before 2000.
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1000)
        milliseconds = quotient - (remainder < 0 ? 1 : 0) + Self.epoch
    }

    var wire: Int64 { (milliseconds - Self.epoch) * 1000 }
}

extension PostgresValue {
    /// The type's OID in `pg_type`; these never change.
    var type: UInt32 {
        switch self {
        case .text: ElementType.text.rawValue
        case .uuid: ElementType.uuid.rawValue
        case .integer: ElementType.integer.rawValue
        case .double: ElementType.double.rawValue
        case .boolean: ElementType.boolean.rawValue
        case .timestamp: ElementType.timestamp.rawValue
        case .texts: 1009
        case .uuids: 2951
        case .integers: 1016
        case .doubles: 1022
        case .booleans: 1000
        case .timestamps: 1185
        }
    }

    private enum ElementType: UInt32 {
        case boolean = 16
        case integer = 20
        case text = 25
        case double = 701
        case timestamp = 1184
        case uuid = 2950
    }

    /// Appends the value in binary format; returns false for null, which has no bytes.
    func append(to bytes: inout [UInt8]) -> Bool {
        switch self {
        case .text(let value): one(value, &bytes, Self.append)
        case .uuid(let value): one(value, &bytes, Self.append)
        case .integer(let value): one(value, &bytes, Self.append)
        case .double(let value): one(value, &bytes, Self.append)
        case .boolean(let value): one(value, &bytes, Self.append)
        case .timestamp(let value): one(value, &bytes, Self.append)
        case .texts(let values): array(values, .text, &bytes, Self.append)
        case .uuids(let values): array(values, .uuid, &bytes, Self.append)
        case .integers(let values): array(values, .integer, &bytes, Self.append)
        case .doubles(let values): array(values, .double, &bytes, Self.append)
        case .booleans(let values): array(values, .boolean, &bytes, Self.append)
        case .timestamps(let values): array(values, .timestamp, &bytes, Self.append)
        }
    }

    private func one<Value>(_ value: Value?, _ bytes: inout [UInt8], _ append: (Value, inout [UInt8]) -> Void) -> Bool {
        guard let value else { return false }
        append(value, &bytes)
        return true
    }

    /// Dimensions, a flag for nulls, element type, then length and lower bound; an empty array has no dimension.
    private func array<Value>(
        _ values: [Value?],
        _ type: ElementType,
        _ bytes: inout [UInt8],
        _ append: (Value, inout [UInt8]) -> Void
    ) -> Bool {
        bytes.append(bigEndian: Int32(values.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(values.contains { $0 == nil } ? 1 : 0))
        bytes.append(bigEndian: type.rawValue)
        guard !values.isEmpty else { return true }
        bytes.append(bigEndian: Int32(values.count))
        bytes.append(bigEndian: Int32(1))
        for value in values {
            let lengthAt = bytes.count
            bytes.append(bigEndian: Int32(-1))
            guard let value else { continue }
            append(value, &bytes)
            let length = UInt32(bytes.count - lengthAt - 4)
            for position in 0..<4 {
                bytes[lengthAt + position] = UInt8(truncatingIfNeeded: length >> (24 - 8 * position))
            }
        }
        return true
    }

    private static func append(_ text: String, _ bytes: inout [UInt8]) { bytes.append(contentsOf: text.utf8) }
    private static func append(_ number: Int64, _ bytes: inout [UInt8]) { bytes.append(bigEndian: number) }
    private static func append(_ number: Double, _ bytes: inout [UInt8]) { bytes.append(bigEndian: number.bitPattern) }
    private static func append(_ flag: Bool, _ bytes: inout [UInt8]) { bytes.append(flag ? 1 : 0) }
    private static func append(_ time: PostgresTimestamp, _ bytes: inout [UInt8]) { bytes.append(bigEndian: time.wire) }
    private static func append(_ uuid: PostgresUUID, _ bytes: inout [UInt8]) {
        bytes.append(bigEndian: uuid.high)
        bytes.append(bigEndian: uuid.low)
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian number: some FixedWidthInteger) {
        var shift = number.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
