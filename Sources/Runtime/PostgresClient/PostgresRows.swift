internal import CPostgres

/// The result of a statement, copied out of libpq.
package struct PostgresRows: Sendable {
    package let count: Int
    private let columns: Int
    private let bytes: [UInt8]
    /// Row by row; nil for null.
    private let fields: [Range<Int>?]

    /// Copies a result whose columns are all in binary form.
    init(copying result: OpaquePointer) {
        count = unsafe Int(PQntuples(result))
        columns = unsafe Int(PQnfields(result))
        var bytes: [UInt8] = []
        var fields: [Range<Int>?] = []
        fields.reserveCapacity(count * columns)
        for row in 0..<Int32(count) {
            for column in 0..<Int32(columns) {
                guard unsafe PQgetisnull(result, row, column) == 0,
                    let value = unsafe PQgetvalue(result, row, column)
                else {
                    fields.append(nil)
                    continue
                }
                let start = bytes.count
                // Safety: libpq keeps `length` bytes at `value` until the result is cleared.
                let length = unsafe Int(PQgetlength(result, row, column))
                unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: length))
                fields.append(start..<bytes.count)
            }
        }
        self.bytes = bytes
        self.fields = fields
    }

    package subscript(row: Int) -> PostgresRow {
        precondition(row < count, "the result has fewer rows than are read")
        return PostgresRow(rows: self, index: row)
    }

    package var first: PostgresRow? { count > 0 ? self[0] : nil }

    package func map<Element>(_ transform: (PostgresRow) -> Element) -> [Element] {
        (0..<count).map { transform(self[$0]) }
    }

    fileprivate func field(_ row: Int, _ column: Int) -> ArraySlice<UInt8>? {
        precondition(column < columns, "the result has fewer columns than are read")
        return fields[row * columns + column].map { bytes[$0] }
    }
}

/// One row; the type that is read must be the column's, which a test of the statement checks.
package struct PostgresRow {
    fileprivate let rows: PostgresRows
    fileprivate let index: Int

    package func text(_ column: Int) -> String? {
        rows.field(index, column).map { String(decoding: $0, as: UTF8.self) }
    }

    package func integer(_ column: Int) -> Int64? { number(column, UInt64.self).map { Int64(bitPattern: $0) } }

    package func double(_ column: Int) -> Double? { number(column, UInt64.self).map { Double(bitPattern: $0) } }

    package func boolean(_ column: Int) -> Bool? { number(column, UInt8.self).map { $0 != 0 } }

    package func timestamp(_ column: Int) -> PostgresTimestamp? { integer(column).map { PostgresTimestamp(wire: $0) } }

    package func uuid(_ column: Int) -> PostgresUUID? {
        guard let bytes = rows.field(index, column) else { return nil }
        precondition(bytes.count == 16, "a column of another type is read as uuid")
        return PostgresUUID(high: Self.number(bytes.prefix(8)), low: Self.number(bytes.suffix(8)))
    }

    private func number<Number: FixedWidthInteger>(_ column: Int, _: Number.Type) -> Number? {
        guard let bytes = rows.field(index, column) else { return nil }
        precondition(bytes.count == Number.bitWidth / 8, "a column is read as a number of another width")
        return Self.number(bytes)
    }

    private static func number<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Number {
        bytes.reduce(0) { $0 << 8 | Number($1) }
    }
}
