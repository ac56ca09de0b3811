package import Domain

/// Checks the members that several commands about accounts have, and collects every error.
///
/// A method returns nil where it noted an error, and for an optional member that is absent.
package struct AccountFields {
    private var errors: [ValidationFailure.FieldError] = []

    package init() {}

    package mutating func note(_ field: String, _ message: String) {
        errors.append(.init(field: field, message: message))
    }

    /// Throws what was noted.
    package func check() throws(ValidationFailure) {
        guard errors.isEmpty else { throw ValidationFailure(errors) }
    }

    /// A required address.
    package mutating func email(_ text: String?) -> EmailAddress? {
        guard let text else {
            note("email", "is required: an e-mail address")
            return nil
        }
        do {
            return try EmailAddress(text)
        } catch {
            note("email", "must be an e-mail address of at most \(EmailAddress.bytesMax) bytes")
            return nil
        }
    }

    /// A required new password.
    package mutating func newPassword(_ text: String?, as field: String) -> Password? {
        let allowed = Password.scalarsAllowed
        guard let text else {
            note(field, "is required: \(allowed.lowerBound) to \(allowed.upperBound) characters")
            return nil
        }
        do {
            return try Password(text)
        } catch {
            switch error {
            case .tooShort: note(field, "must have at least \(allowed.lowerBound) characters")
            case .tooLong: note(field, "must have at most \(allowed.upperBound) characters")
            }
            return nil
        }
    }

    /// An optional name.
    package mutating func name(_ text: String?, as field: String) -> DisplayName? {
        guard let text else { return nil }
        do {
            return try DisplayName(text)
        } catch {
            switch error {
            case .empty: note(field, "must not be empty")
            case .tooLong(let count):
                note(field, "must have at most \(DisplayName.scalarsMax) characters; it has \(count)")
            }
            return nil
        }
    }

    /// A required member of any form.
    package mutating func required(_ text: String?, as field: String, _ what: String) -> String? {
        if text == nil { note(field, "is required: \(what)") }
        return text
    }
}
