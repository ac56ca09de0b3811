internal import Domain
internal import PostgresClient
internal import Shared

extension PostgresValue {
    /// Text without U+0000, which PostgreSQL cannot store.
    static func storable(_ text: String?) -> PostgresValue { .text(text?.storable) }

    static func id(_ id: some UUIDIdentifier) -> PostgresValue { .uuid(PostgresUUID(id)) }

    static func time(_ time: Timestamp) -> PostgresValue { .timestamp(PostgresTimestamp(time)) }
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

    func word<Word: RawRepresentable<String>>(_ column: Int, _: Word.Type = Word.self) -> Word? {
        text(column).flatMap { Word(rawValue: $0) }
    }
}
