package import Shared

package struct ReadUsageValidator: Validator {
    /// The length of a range that is not given.
    package static let daysStandard = 30
    package static let daysMax = 366

    let today: UTCDay

    package func validate(_ input: ReadUsage) throws(ValidationFailure) -> ClosedRange<UTCDay> {
        var errors: [ValidationFailure.FieldError] = []
        func day(_ field: String, _ text: String?) -> UTCDay? {
            guard let text else { return nil }
            let day = UTCDay(text)
            if day == nil { errors.append(.init(field: field, message: "must be a day such as 2026-11-30")) }
            return day
        }
        let (first, last) = (day("from", input.from), day("to", input.to))
        guard errors.isEmpty else { throw ValidationFailure(errors) }
        let to = last ?? max(today, first ?? today)
        let from = first ?? to.advanced(by: 1 - Self.daysStandard)
        guard from <= to else {
            throw ValidationFailure([.init(field: "from", message: "must not be later than to")])
        }
        guard to.number - from.number < Self.daysMax else {
            let message = "must not be more than \(Self.daysMax) days before the end of the range"
            throw ValidationFailure([.init(field: "from", message: message)])
        }
        return from...to
    }
}
