/// One SQL statement of the program, prepared once on each connection that runs it.
///
/// Values are parameters, `$1` and so on, never part of the text. Store statements in static constants, because a
/// connection identifies them by object identity.
package final class PostgresStatement: Sendable {
    package let sql: String

    package init(_ sql: StaticString) { self.sql = "\(sql)" }

    /// A text composed of literals and of the program's own column names; it must not contain any input.
    package init(composed sql: String) { self.sql = sql }

    /// Calls `body` with the text as a C string, which is valid during the call.
    func withSQL<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        unsafe sql.withCString { unsafe body($0) }
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

/// SQL from a resource of the program, with any number of statements.
package struct PostgresScript: Sendable {
    let sql: String

    package init(resource bytes: [UInt8]) { sql = String(decoding: bytes, as: UTF8.self) }
}
