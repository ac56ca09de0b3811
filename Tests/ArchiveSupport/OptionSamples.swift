package import Domain

extension SolveOption {
    /// Two allowed values other than the default.
    package var samples: (Value, Value) {
        switch rule {
        case .number(let range):
            (.number(range.lowerBound + (range.upperBound - range.lowerBound) * 0.35), .number(range.upperBound))
        case .integer(let range): (.integer(range.lowerBound + 4711), .integer(range.upperBound))
        case .choice(let type):
            (
                .text(type.names.last { $0 != type.standardName } ?? ""),
                .text(type.names.first { $0 != type.standardName } ?? "")
            )
        }
    }

    /// A value of its own for every option.
    package static var samples: [SolveOption: Value] {
        Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.samples.0) })
    }
}
