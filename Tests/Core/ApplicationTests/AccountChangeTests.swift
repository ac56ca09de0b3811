import AccountSupport
import Application
import Domain
import Shared
import TestSupport
import Testing

@Suite("Changes and deletions of accounts", .tags(.unit))
struct AccountChangeTests {
    private let bench = AccountBench()

    private func change(
        _ account: Account,
        _ session: SessionID? = nil,
        name: String? = nil,
        from current: String? = nil,
        to new: String? = nil
    ) async throws(ChangeAccount.Failure) -> Account {
        try await bench.change.handle(
            ChangeAccount(
                account: account.id,
                session: session,
                displayName: name,
                currentPassword: current,
                newPassword: new,
                address: "192.0.2.1",
            )
        )
    }

    private func fields(_ body: () async throws -> Void) async -> [String] {
        do {
            try await body()
            return []
        } catch ChangeAccount.Failure.invalid(let failure) {
            return failure.errors.map(\.field)
        } catch CreateAPIKey.Failure.invalid(let failure) {
            return failure.errors.map(\.field)
        } catch ChangeAccountAsAdmin.Failure.invalid(let failure) {
            return failure.errors.map(\.field)
        } catch {
            return ["\(error)"]
        }
    }

    @Test("a new name needs no password")
    func name() async throws {
        let account = try await bench.registered()
        #expect(try await change(account, name: " Lovelace ").displayName == "Lovelace")
        #expect(try await change(account).displayName == "Lovelace")
        #expect(try await change(account, from: "ignored").displayName == "Lovelace")
        #expect(await fields { _ = try await change(account, name: " ") } == ["displayName"])
        #expect(bench.attempts.attempts.isEmpty)
    }

    @Test("a new password ends every session but the present one")
    func password() async throws {
        let account = try await bench.registered()
        let mine = try #require(bench.mint.readRefreshToken(try await bench.signedIn().refreshToken)).session
        _ = try await bench.signedIn()
        let new = "another password"
        #expect(await fields { _ = try await change(account, mine, to: new) } == ["currentPassword"])
        let both = ["newPassword", "currentPassword"]
        #expect(await fields { _ = try await change(account, mine, to: "short") } == both)
        await #expect(throws: ChangeAccount.Failure.wrongPassword) {
            _ = try await change(account, mine, from: "wrong", to: new)
        }
        #expect(bench.accounts.livingSessions(of: account.id).count == 2)
        _ = try await change(account, mine, from: AccountBench.password, to: new)
        #expect(bench.accounts.livingSessions(of: account.id) == [mine])
        #expect(bench.accounts.hash(of: account.id) == HashingFake.digest(new))
        #expect(bench.attempts.attempts.count == 4, "two sign-ins, two changes")
    }

    @Test("an issuer's user has no password to change or to be asked for")
    func issuer() async throws {
        let account = bench.foreign()
        let failed = await fields { _ = try await change(account, from: "x", to: "another password") }
        #expect(failed == ["newPassword"])
        let command = DeleteAccount(account: account.id, password: nil, address: "")
        #expect(try await bench.delete.handle(command) == .complete)
        #expect(bench.accounts.account(account.id) == nil)
    }

    @Test("an account is deleted with its password alone; an interrupted erasure has begun")
    func delete() async throws {
        let account = try await bench.registered()
        func command(_ password: String?) -> DeleteAccount {
            DeleteAccount(account: account.id, password: password, address: "")
        }
        await #expect(throws: DeleteAccount.Failure.self) { _ = try await bench.delete.handle(command(nil)) }
        await #expect(throws: DeleteAccount.Failure.wrongPassword) {
            _ = try await bench.delete.handle(command("wrong"))
        }
        bench.accounts.interruptErasures()
        #expect(try await bench.delete.handle(command(AccountBench.password)) == .begun)
        await #expect(throws: DeleteAccount.Failure.notFound) {
            _ = try await bench.delete.handle(command(AccountBench.password))
        }
        await #expect(throws: SignIn.Failure.rejected(.unknownAccount, nil)) { _ = try await bench.signedIn() }
    }

    // MARK: API keys

    private func create(
        _ name: String? = "ci",
        scopes: [String]? = nil,
        expiresAt: String? = nil,
        limits: KeyLimits = .none
    ) async throws(CreateAPIKey.Failure) -> CreateAPIKey.Output {
        let owner = AccountID(bits: UUIDBits(high: 0x7000, low: 1))
        return try await bench.createKey.handle(
            CreateAPIKey(
                owner: owner,
                name: name,
                scopes: scopes,
                expiresAt: expiresAt,
                limits: limits,
                actsForEndUsers: false,
            )
        )
    }

    @Test("a key has all scopes unless some are named, and its text is in the output alone")
    func key() async throws {
        let made = try await create()
        #expect(made.key.scopes == [.read, .solve] && made.key.expiresAt == nil && made.key.lastUsedAt == nil)
        #expect(try await bench.accounts.find(secret: MintFake.digest(made.text)) == nil, "its account does not exist")
        #expect(try await bench.accounts.list(of: made.key.owner) == [made.key])
        let limited = try await create(
            " reader ",
            scopes: ["read", "read"],
            expiresAt: "2030-01-01T00:00:00+01:00",
            limits: KeyLimits(requestsPerMinute: 1),
        )
        #expect(limited.key.name == "reader" && limited.key.scopes == [.read])
        #expect(limited.key.expiresAt?.description == "2029-12-31T23:00:00.000Z")
    }

    @Test("mistakes in a key are reported with their fields, unknown scopes with the known ones")
    func keyMistakes() async throws {
        #expect(await fields { _ = try await create(nil) } == ["name"])
        #expect(await fields { _ = try await create("") } == ["name"])
        #expect(await fields { _ = try await create(scopes: []) } == ["scopes"])
        #expect(await fields { _ = try await create(scopes: ["write"]) } == ["scopes"])
        for time in ["", "tomorrow", "2030-01-01", "2020-01-01T00:00:00Z", bench.clock.now().description] {
            #expect(await fields { _ = try await create(expiresAt: time) } == ["expiresAt"])
        }
        let limits = KeyLimits(requestsPerMinute: 0, maxActive: -1, tokensPerDay: .max)
        let expected = ["limits.requestsPerMinute", "limits.maxActive", "limits.tokensPerDay"]
        #expect(await fields { _ = try await create(limits: limits) } == expected)
        do {
            _ = try await create(scopes: ["write"])
        } catch {
            guard case .invalid(let failure) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(failure.errors[0].message == "has an unknown scope; there are read, solve")
        }
    }

    @Test("an account has at most a hundred keys; a revoked one does not count")
    func keysMax() async throws {
        let first = try await create().key
        for _ in 1..<APIKeyRules.keysMax { _ = try await create() }
        await #expect(throws: CreateAPIKey.Failure.tooManyKeys) { _ = try await create() }
        let revoke = RevokeAPIKeyHandler(keys: bench.accounts, clock: bench.clock)
        let stranger = AccountID(bits: UUIDBits(high: 0x7000, low: 2))
        await #expect(throws: RevokeAPIKey.Failure.notFound) {
            try await revoke.handle(RevokeAPIKey(id: first.id, owner: stranger))
        }
        try await revoke.handle(RevokeAPIKey(id: first.id, owner: first.owner))
        await #expect(throws: RevokeAPIKey.Failure.notFound) {
            try await revoke.handle(RevokeAPIKey(id: first.id, owner: first.owner))
        }
        _ = try await create()
    }

    // MARK: Administrators

    private func admin(
        _ admin: Account,
        _ account: Account,
        disabled: Bool? = nil,
        roles: [String]? = nil
    ) async throws(ChangeAccountAsAdmin.Failure) -> ChangeAccountAsAdmin.Output {
        try await bench.changeAsAdmin.handle(
            ChangeAccountAsAdmin(admin: admin.id, account: account.id, isDisabled: disabled, roles: roles)
        )
    }

    @Test("an administrator locks accounts out and grants roles, but not to itself")
    func administrate() async throws {
        let ada = try await bench.registered()
        let bob = try await bench.registered("bob@example.org")
        _ = try await bench.accounts.change(ada.id, AccountChange(roles: [.student, .admin]))
        let locked = try await admin(ada, bob, disabled: true)
        #expect(locked.changed.isDisabled && !locked.former.isDisabled)
        #expect(try await admin(ada, bob, disabled: false, roles: ["admin"]).changed.roles == [.student, .admin])
        #expect(try await admin(ada, bob, roles: []).changed.roles == [.student])
        #expect(await fields { _ = try await admin(ada, bob, roles: ["root"]) } == ["roles"])
        #expect(await fields { _ = try await admin(ada, ada, disabled: true) } == ["disabled"])
        #expect(await fields { _ = try await admin(ada, ada, roles: ["student"]) } == ["roles"])
        #expect(try await admin(ada, ada, disabled: false, roles: ["admin"]).changed.roles == [.student, .admin])
        let foreign = bench.foreign()
        #expect(await fields { _ = try await admin(ada, foreign, roles: ["admin"]) } == ["roles"])
        #expect(try await admin(ada, foreign, disabled: true, roles: ["student"]).changed.isDisabled)
        await #expect(throws: DeleteAccountAsAdmin.Failure.ownAccount) {
            _ = try await bench.deleteAsAdmin.handle(DeleteAccountAsAdmin(admin: ada.id, account: ada.id))
        }
        let command = DeleteAccountAsAdmin(admin: ada.id, account: bob.id)
        #expect(try await bench.deleteAsAdmin.handle(command) == .complete)
        await #expect(throws: DeleteAccountAsAdmin.Failure.notFound) {
            _ = try await bench.deleteAsAdmin.handle(command)
        }
        await #expect(throws: ChangeAccountAsAdmin.Failure.notFound) { _ = try await admin(ada, bob, disabled: true) }
    }

    @Test("accounts are listed page by page, the newest first")
    func list() async throws {
        for index in 0..<5 {
            _ = try await bench.registered("user\(index)@example.org")
            bench.clock.advance(by: .seconds(1))
        }
        let handler = ListAccountsHandler(accounts: bench.accounts)
        let size = try #require(PageSize(2))
        var place: AccountID?
        var seen: [String] = []
        repeat {
            let page = try await handler.handle(ListAccounts(email: "USER", place: place, size: size))
            seen += page.items.compactMap { $0.email?.text }
            place = page.next
        } while place != nil
        #expect(seen == (0..<5).reversed().map { "user\($0)@example.org" })
    }

    @Test("with the store away every use case says so, and nothing has changed")
    func away() async throws {
        let account = try await bench.registered()
        let token = try await bench.signedIn().refreshToken
        bench.accounts.isAway = true
        await #expect(throws: RegisterAccount.Failure.unavailable) { _ = try await bench.registered("b@c") }
        await #expect(throws: SignIn.Failure.unavailable) { _ = try await bench.signedIn() }
        await #expect(throws: RefreshSession.Failure.unavailable) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: token))
        }
        await #expect(throws: ChangeAccount.Failure.unavailable) { _ = try await change(account, name: "x") }
        await #expect(throws: CreateAPIKey.Failure.unavailable) { _ = try await create() }
        await #expect(throws: ChangeAccountAsAdmin.Failure.unavailable) {
            _ = try await admin(account, account, disabled: false)
        }
        bench.accounts.isAway = false
        _ = try await bench.refresh.handle(RefreshSession(refreshToken: token))
    }
}
