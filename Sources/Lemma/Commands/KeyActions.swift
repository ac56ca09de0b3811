internal import Application
internal import Console
internal import Domain
internal import Persistence
internal import Shared

/// What `lemma keys` does.
struct KeyActions {
    /// What is asked of a new key.
    struct Terms: Sendable {
        let name: DisplayName
        let scopes: Set<KeyScope>
        let expiresAt: Timestamp?
        let limits: KeyLimits
        let actsForEndUsers: Bool
        let createdAt: Timestamp
    }

    private let store: AccountStore

    init(_ store: AccountStore) { self.store = store }

    /// Prints the key to standard output and nothing else there.
    func add(_ terms: Terms, of operand: String) async throws {
        let account = try await store.account(operand)
        guard try await keys(of: account).count < APIKeyRules.keysMax else {
            throw CommandFailure("the user has \(APIKeyRules.keysMax) keys already; revoke one first")
        }
        let credential = AccountSecurity.mint.apiKey()
        let key = APIKey(
            id: store.identifiers.make(),
            owner: account.id,
            name: terms.name.text,
            scopes: terms.scopes,
            limits: terms.limits,
            actsForEndUsers: terms.actsForEndUsers,
            createdAt: terms.createdAt,
            expiresAt: terms.expiresAt,
        )
        try await store.asking { () async throws(RepositoryFailure) in
            try await store.keys.add(key, secret: credential.digest)
        }
        try Output.standard.write("\(credential.text)\n")
        Output.error.note("this is the key \(key.id); it is not shown again\n")
    }

    func list(of operand: String, asJSON: Bool) async throws {
        let found = try await keys(of: try await store.account(operand))
        for key in found {
            let line = asJSON ? json(key) : Array(Self.columns(key).utf8)
            try Output.standard.write(line + [UInt8(ascii: "\n")])
        }
        if found.isEmpty { Output.error.note("the user has no keys\n") }
    }

    func revoke(_ id: APIKeyID) async throws {
        let revoked = try await store.asking { () async throws(RepositoryFailure) in
            try await store.keys.revoke(id, of: nil, at: AccountStore.now)
        }
        guard revoked != nil else { throw CommandFailure("there is no API key \(id)") }
    }

    private func keys(of account: Account) async throws -> [APIKey] {
        try await store.asking { () async throws(RepositoryFailure) in try await store.keys.list(of: account.id) }
    }

    private static func columns(_ key: APIKey) -> String {
        let scopes = key.scopes.sorted().map(\.rawValue).joined(separator: ",")
        let expiry = key.expiresAt.map { "expires \($0)" } ?? "no expiry"
        let use = key.lastUsedAt.map { "used \($0)" } ?? "not used"
        return printable(["\(key.id)", "\(key.createdAt)", scopes, expiry, use, key.name].joined(separator: "  "))
    }

    private func json(_ key: APIKey) -> [UInt8] {
        JSONWriter.object { json in
            json.member("id", key.id.description)
            json.member("name", key.name)
            json.member("scopes", array: key.scopes.sorted()) { $0.string($1.rawValue) }
            json.member("createdAt", key.createdAt.description)
            json.member("expiresAt", key.expiresAt?.description)
            json.member("lastUsedAt", key.lastUsedAt?.description)
            json.member(
                "limits",
                object: { json in
                    json.member("requestsPerMinute", key.limits.requestsPerMinute)
                    json.member("maxActive", key.limits.maxActive)
                    json.member("tokensPerDay", key.limits.tokensPerDay)
                },
            )
            json.member("actsForEndUsers", key.actsForEndUsers)
        }
    }
}
