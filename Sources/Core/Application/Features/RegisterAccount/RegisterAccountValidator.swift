internal import Domain

struct RegisterAccountValidator: Validator {
    struct Valid {
        let email: EmailAddress
        let password: Password
        let displayName: DisplayName?
    }

    func validate(_ input: RegisterAccount) throws(ValidationFailure) -> Valid {
        var fields = AccountFields()
        let email = fields.email(input.email)
        let password = fields.newPassword(input.password, as: "password")
        let name = fields.name(input.displayName, as: "displayName")
        try fields.check()
        guard let email, let password else { preconditionFailure("a missing member was not noted") }
        return Valid(email: email, password: password, displayName: name)
    }
}
