internal import Domain
internal import Shared

struct CreateAPIKeyValidator: Validator {
    struct Valid {
        let name: DisplayName
        let scopes: Set<KeyScope>
        let expiresAt: Timestamp?
    }

    /// Of each limit of a key.
    static let limitAllowed = 1...1_000_000_000

    let now: Timestamp

    func validate(_ input: CreateAPIKey) throws(ValidationFailure) -> Valid {
        var fields = AccountFields()
        _ = fields.required(input.name, as: "name", "what the key is for")
        let name = fields.name(input.name, as: "name")
        let scopes = scopes(input.scopes, &fields)
        let expiry = expiry(input.expiresAt, &fields)
        let limits = [
            ("limits.requestsPerMinute", input.limits.requestsPerMinute), ("limits.maxActive", input.limits.maxActive),
            ("limits.tokensPerDay", input.limits.tokensPerDay),
        ]
        for (field, value) in limits where value.map({ !Self.limitAllowed.contains($0) }) ?? false {
            fields.note(field, "must be a whole number from 1 to \(Self.limitAllowed.upperBound)")
        }
        try fields.check()
        guard let name else { preconditionFailure("a missing name was not noted") }
        return Valid(name: name, scopes: scopes, expiresAt: expiry)
    }

    private func scopes(_ names: [String]?, _ fields: inout AccountFields) -> Set<KeyScope> {
        guard let names else { return Set(KeyScope.allCases) }
        let known = KeyScope.allCases.sorted().map(\.rawValue).joined(separator: ", ")
        if names.isEmpty { fields.note("scopes", "must name at least one scope: \(known)") }
        let scopes = names.compactMap { KeyScope(rawValue: $0) }
        if scopes.count < names.count { fields.note("scopes", "has an unknown scope; there are \(known)") }
        return Set(scopes)
    }

    private func expiry(_ text: String?, _ fields: inout AccountFields) -> Timestamp? {
        guard let text else { return nil }
        guard let time = Timestamp(text) else {
            fields.note("expiresAt", "must be a time in the format of RFC 3339, such as 2027-01-31T00:00:00Z")
            return nil
        }
        if time <= now { fields.note("expiresAt", "must be in the future") }
        return time
    }
}
