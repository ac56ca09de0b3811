internal import Domain
internal import Shared

struct ChangeAccountAsAdminValidator: Validator {
    let former: Account

    func validate(_ input: ChangeAccountAsAdmin) throws(ValidationFailure) -> AccountChange {
        var fields = AccountFields()
        let isOwn = input.admin == former.id
        if isOwn, input.isDisabled == true { fields.note("disabled", "cannot be set on your own account") }
        let roles = input.roles.map { self.roles($0, isOwn: isOwn, &fields) }
        try fields.check()
        return AccountChange(roles: roles, isDisabled: input.isDisabled)
    }

    private func roles(_ names: [String], isOwn: Bool, _ fields: inout AccountFields) -> Set<Role> {
        let roles = names.compactMap { Role(rawValue: $0) }
        if roles.count < names.count {
            let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
            fields.note("roles", "has an unknown role; there are \(known)")
        }
        let wanted = Set(roles).union([.student])
        if case .issuer = former.origin, wanted != former.roles {
            fields.note("roles", "cannot be changed: the roles of an issuer's user follow its tokens")
        }
        if isOwn, former.roles.contains(.admin), !wanted.contains(.admin) {
            fields.note("roles", "must keep admin on your own account")
        }
        return wanted
    }
}
