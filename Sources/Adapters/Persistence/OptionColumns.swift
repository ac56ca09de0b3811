internal import Domain
internal import PostgresClient

// The columns of the solve options: types and values follow from the rule of each option.

extension SolveOption {
    /// The type of a parameter that has the values of many requests.
    var arrayType: String {
        switch rule {
        case .number: "float8[]"
        case .integer: "int8[]"
        case .choice: "text[]"
        }
    }

    /// The values of many requests, in their order.
    func column(_ requests: [SolveOptions]) -> PostgresValue {
        switch rule {
        case .number:
            .doubles(requests.map { if case .number(let number) = $0[self] { number } else { nil } })
        case .integer:
            .integers(requests.map { if case .integer(let integer) = $0[self] { Int64(integer) } else { nil } })
        case .choice:
            .texts(requests.map { $0[self]?.storedText })
        }
    }
}

extension PostgresRow {
    /// The stored value of an option; nil for null, and for a choice that this release does not know.
    func value(_ column: Int, of option: SolveOption) -> SolveOption.Value? {
        switch option.rule {
        case .number: double(column).map { .number($0) }
        case .integer: number(column).map { .integer($0) }
        case .choice: text(column).flatMap { option.rule.value(storedText: $0) }
        }
    }
}
