/// One SQL statement of the program, prepared once on each connection that runs it.
///
/// The text is a literal: what varies are parameters, `$1` and so on. Keep statements in static constants, because a
/// connection knows them by identity.
package final class PostgresStatement: Sendable {
    package let sql: StaticString

    package init(_ sql: StaticString) { self.sql = sql }

    /// Gives the text as C has it.
    func withSQL<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        // Safety: a static string ends with a zero byte and lives for ever.
        sql.withUTF8Buffer { $0.withMemoryRebound(to: CChar.self) { body($0.baseAddress) } }
    }

    /// The statement with its parameters.
    package func callAsFunction(_ values: PostgresValue...) -> PostgresCall { PostgresCall(self, values) }
}

/// A statement with its parameters, whose types are the same in every call.
package struct PostgresCall: Sendable {
    let statement: PostgresStatement
    let values: [PostgresValue]

    package init(_ statement: PostgresStatement, _ values: [PostgresValue]) {
        self.statement = statement
        self.values = values
    }
}

/// SQL out of a file that is part of the program, of any number of statements.
package struct PostgresScript: Sendable {
    let sql: String

    package init(resource bytes: [UInt8]) { sql = String(decoding: bytes, as: UTF8.self) }
}
