internal import Application
internal import Domain
internal import PostgresClient
internal import Shared
internal import Text
internal import Time

extension PostgresValue {
    /// Text without U+0000, which PostgreSQL cannot store.
    static func storable(_ text: String?) -> PostgresValue { .text(text?.storable) }

    static func id(_ id: some UUIDIdentifier) -> PostgresValue { .uuid(PostgresUUID(id)) }

    static func time(_ time: Timestamp) -> PostgresValue { .timestamp(PostgresTimestamp(time)) }

    static func time(orNull time: Timestamp?) -> PostgresValue { .timestamp(time.map { PostgresTimestamp($0) }) }

    static func number(_ number: Int?) -> PostgresValue { .integer(number.map { Int64($0) }) }

    static func digest(_ digest: Fingerprint) -> PostgresValue { .text(digest.description) }

    /// As an interval of so many milliseconds.
    static func milliseconds(_ duration: Duration) -> PostgresValue { .integer(duration.wholeMilliseconds) }
}

extension PostgresUUID {
    init(_ id: some UUIDIdentifier) { self.init(high: id.bits.high, low: id.bits.low) }
}

extension PostgresTimestamp {
    init(_ time: Timestamp) { self.init(milliseconds: time.milliseconds) }
}

extension PostgresRow {
    /// Nil for null.
    func id<Identifier: UUIDIdentifier>(_ column: Int, _: Identifier.Type = Identifier.self) -> Identifier? {
        uuid(column).map { Identifier(bits: UUIDBits(high: $0.high, low: $0.low)) }
    }

    func time(_ column: Int) -> Timestamp? { timestamp(column).map { Timestamp(milliseconds: $0.milliseconds) } }

    func eventID(_ column: Int) -> EventID? { text(column).flatMap { EventID($0) } }

    func number(_ column: Int) -> Int? { integer(column).map { Int($0) } }

    /// A column of 64 hexadecimal digits.
    func digest(_ column: Int) -> Fingerprint? {
        guard let digits = text(column).map({ Array($0.utf8) }), digits.count == 64 else { return nil }
        let words = stride(from: 0, to: 64, by: 16).compactMap { Hexadecimal.value(of: digits[$0..<$0 + 16]) }
        guard words.count == 4 else { return nil }
        return Fingerprint(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } })
    }

    /// A column of words with one space between them, without those that this release does not know.
    func words<Word: RawRepresentable<String> & Hashable>(_ column: Int, _: Word.Type = Word.self) -> Set<Word> {
        Set((text(column) ?? "").split(separator: " ").compactMap { Word(rawValue: String($0)) })
    }

    func word<Word: RawRepresentable<String>>(_ column: Int, _: Word.Type = Word.self) -> Word? {
        text(column).flatMap { Word(rawValue: $0) }
    }
}
