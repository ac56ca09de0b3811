internal import Application
internal import Console
internal import Domain
internal import Persistence
internal import Shared

/// What `lemma users` does.
struct UserActions {
    private static let page = 100
    /// How long a deletion is watched, and how often.
    private static let watched = Duration.seconds(15)
    private static let watchPeriod = Duration.milliseconds(200)

    private let store: AccountStore

    init(_ store: AccountStore) { self.store = store }

    func add(_ email: EmailAddress, _ password: Password, roles: Set<Role>) async throws {
        let account = Account(
            id: store.identifiers.make(),
            email: email,
            displayName: nil,
            roles: roles,
            origin: .password,
            isDisabled: false,
            createdAt: AccountStore.now,
        )
        let hash = try await hash(password)
        do {
            try await store.accounts.add(account, hash)
        } catch {
            switch error {
            case .emailTaken: throw CommandFailure("there is a user \(email) already")
            case .unavailable: throw CommandFailure("PostgreSQL does not answer; try again")
            }
        }
        try Output.standard.write("\(account.id)\n")
    }

    func list(asJSON: Bool) async throws {
        var place: AccountID?
        var isEmpty = true
        while true {
            let page = try await store.asking { [place] () async throws(RepositoryFailure) in
                try await store.accounts.list(email: nil, after: place, limit: Self.page)
            }
            for account in page {
                isEmpty = false
                let line = asJSON ? json(account) : Array(Self.columns(account).utf8)
                try Output.standard.write(line + [UInt8(ascii: "\n")])
            }
            guard page.count == Self.page, let last = page.last else { break }
            place = last.id
        }
        if isEmpty { Output.error.note("there are no users\n") }
    }

    private static func columns(_ account: Account) -> String {
        let name =
            switch account.origin {
            case .password: account.email?.text ?? "-"
            case .issuer(let issuer, let subject): "\(subject) of \(issuer)"
            }
        let roles = account.roles.sorted().map(\.rawValue).joined(separator: ",")
        let state = account.isDisabled ? "disabled" : "enabled"
        return printable(["\(account.id)", "\(account.createdAt)", state, roles, name].joined(separator: "  "))
    }

    private func json(_ account: Account) -> [UInt8] {
        JSONWriter.object { json in
            json.member("id", account.id.description)
            json.member("email", account.email?.text)
            if case .issuer(let issuer, let subject) = account.origin {
                json.member("issuer", issuer)
                json.member("subject", subject)
            }
            json.member("displayName", account.displayName)
            json.member("roles", array: account.roles.sorted()) { $0.string($1.rawValue) }
            json.member("disabled", account.isDisabled)
            json.member("createdAt", account.createdAt.description)
        }
    }

    func grant(_ role: Role, to operand: String) async throws {
        let account = try await store.account(operand)
        try await change(account, AccountChange(roles: account.roles.union([role])))
    }

    func take(_ role: Role, from operand: String) async throws {
        guard role != .student else {
            throw CommandFailure("every user has the role student; disable the user instead")
        }
        let account = try await store.account(operand)
        try await change(account, AccountChange(roles: account.roles.subtracting([role])))
    }

    func setDisabled(_ isDisabled: Bool, of operand: String) async throws {
        try await change(try await store.account(operand), AccountChange(isDisabled: isDisabled))
    }

    private func change(_ account: Account, _ change: AccountChange) async throws {
        let changed = try await store.asking { () async throws(RepositoryFailure) in
            try await store.accounts.change(account.id, change)
        }
        guard changed != nil else { throw CommandFailure("the user is being erased") }
    }

    func setPassword(_ password: Password, of operand: String) async throws {
        let account = try await store.account(operand)
        guard account.origin == .password else {
            throw CommandFailure("the user belongs to an external issuer and has no password here")
        }
        let hash = try await hash(password)
        let isReplaced = try await store.asking { () async throws(RepositoryFailure) in
            try await store.accounts.replacePasswordHash(of: account.id, nil, by: hash)
        }
        guard isReplaced else { throw CommandFailure("the user is being erased") }
        // Someone else who knew the former password may have signed in with it.
        try await store.asking { () async throws(RepositoryFailure) in
            try await store.sessions.revokeAll(of: account.id, but: nil)
        }
    }

    /// Begins the erasure, which the workers complete, and waits for them for a while.
    func delete(_ operand: String) async throws {
        let account = try await store.account(operand)
        let hasBegun = try await store.asking { () async throws(RepositoryFailure) in
            try await store.erasure.begin(account.id, at: AccountStore.now)
        }
        guard hasBegun else { throw CommandFailure("there is no user \(operand)") }
        let deadline = ContinuousClock.now + Self.watched
        while ContinuousClock.now < deadline {
            let isPending = try await store.asking { () async throws(RepositoryFailure) in
                try await store.erasure.isPending(account.id)
            }
            if !isPending { return }
            try await ContinuousClock().sleep(for: Self.watchPeriod)
        }
        Output.error.note("the user is locked out; the erasure goes on as long as a worker runs\n")
    }

    private func hash(_ password: Password) async throws -> PasswordHash {
        do {
            return try await AccountSecurity.hashing.hash(password)
        } catch {
            throw CommandFailure("there is not enough memory to hash the password")
        }
    }
}
