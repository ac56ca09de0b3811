internal import Domain

struct ChangeAccountValidator: Validator {
    struct Valid {
        let displayName: DisplayName?
        let passwords: (current: String, new: Password)?
    }

    /// A current password without a new one changes nothing and is ignored.
    func validate(_ input: ChangeAccount) throws(ValidationFailure) -> Valid {
        var fields = AccountFields()
        let name = fields.name(input.displayName, as: "displayName")
        var passwords: (current: String, new: Password)?
        if let text = input.newPassword {
            let new = fields.newPassword(text, as: "newPassword")
            let what = "the password that the account has now"
            let current = fields.required(input.currentPassword, as: "currentPassword", what)
            if let new, let current { passwords = (current, new) }
        }
        try fields.check()
        return Valid(displayName: name, passwords: passwords)
    }
}
