import AccountSupport
import Application
import Domain
import Shared
import TestSupport
import Testing

/// The use cases about accounts, over fakes.
struct AccountBench {
    let accounts = InMemoryAccounts()
    let hashing = HashingFake()
    let attempts = AttemptsFake()
    let mint = MintFake()
    let clock = SettableClock()
    var policy = RegistrationPolicy.open

    private var identifiers: IdentifierFactory { IdentifierFactory(clock: clock, random: CountingRandom()) }
    private var check: PasswordCheck { PasswordCheck(accounts: accounts, hashing: hashing, attempts: attempts) }
    private var removal: AccountRemoval { AccountRemoval(erasure: accounts, clock: clock) }

    var register: RegisterAccountHandler {
        RegisterAccountHandler(
            policy: policy,
            accounts: accounts,
            hashing: hashing,
            identifiers: identifiers,
            clock: clock,
        )
    }

    var signIn: SignInHandler {
        SignInHandler(
            policy: policy,
            accounts: accounts,
            hashing: hashing,
            attempts: attempts,
            sessions: SessionStart(
                sessions: accounts,
                issuer: mint,
                mint: mint,
                identifiers: identifiers,
                clock: clock,
                lifetime: .seconds(3600),
            ),
        )
    }

    var refresh: RefreshSessionHandler {
        RefreshSessionHandler(policy: policy, sessions: accounts, issuer: mint, mint: mint, clock: clock)
    }

    var signOut: SignOutHandler { SignOutHandler(sessions: accounts, mint: mint) }
    var signOutEverywhere: SignOutEverywhereHandler { SignOutEverywhereHandler(sessions: accounts) }
    var change: ChangeAccountHandler {
        ChangeAccountHandler(accounts: accounts, sessions: accounts, hashing: hashing, check: check)
    }
    var delete: DeleteAccountHandler { DeleteAccountHandler(accounts: accounts, check: check, removal: removal) }
    var createKey: CreateAPIKeyHandler {
        CreateAPIKeyHandler(keys: accounts, mint: mint, identifiers: identifiers, clock: clock)
    }
    var changeAsAdmin: ChangeAccountAsAdminHandler { ChangeAccountAsAdminHandler(accounts: accounts) }
    var deleteAsAdmin: DeleteAccountAsAdminHandler { DeleteAccountAsAdminHandler(removal: removal) }

    static let password = "correct horse"

    func registered(_ email: String = "ada@example.org") async throws -> Account {
        try await register.handle(
            RegisterAccount(email: email, password: Self.password, displayName: "Ada", isByAdmin: false)
        )
    }

    func signedIn(_ email: String = "ada@example.org") async throws -> SessionCredentials {
        try await signIn.handle(SignIn(email: email, password: Self.password, address: "192.0.2.1"))
    }

    /// An account of an issuer's user.
    func foreign() -> Account {
        let account = Account(
            id: identifiers.make(),
            email: nil,
            displayName: nil,
            roles: [.student],
            origin: .issuer("https://issuer.example", subject: "ada"),
            isDisabled: false,
            createdAt: clock.now(),
        )
        accounts.put(account)
        return account
    }
}

/// Numbers that are all different.
struct CountingRandom: RandomSource {
    func next() -> UInt64 { UInt64.random(in: 0...UInt64.max) }
}

@Suite("What is done with accounts", .tags(.unit))
struct AccountUseCaseTests {
    private let bench = AccountBench()

    private func fields(_ error: ValidationFailure) -> [String] { error.errors.map(\.field) }

    // MARK: Registering

    @Test("an account is made with the role student and its password's digest")
    func register() async throws {
        let account = try await bench.register.handle(
            RegisterAccount(email: " Ada@Example.org ", password: "0123456789", displayName: " Ada ", isByAdmin: false)
        )
        #expect(account.email?.text == "Ada@Example.org" && account.displayName == "Ada")
        #expect(account.roles == [.student] && !account.isDisabled && account.createdAt == bench.clock.now())
        #expect(bench.accounts.account(account.id) == account)
        #expect(bench.accounts.hash(of: account.id) == HashingFake.digest("0123456789"))
        await #expect(throws: RegisterAccount.Failure.emailTaken) { _ = try await bench.registered("ada@example.ORG") }
    }

    @Test("every mistake is reported, each with its field")
    func mistakes() async throws {
        let long = String(repeating: "x", count: 129)
        let cases: [(String?, String?, String?, [String])] = [
            (nil, nil, nil, ["email", "password"]), ("ada", "012345678", " ", ["email", "password", "displayName"]),
            ("a@b", long, long, ["password", "displayName"]),
        ]
        for (email, password, name, expected) in cases {
            do {
                _ = try await bench.register.handle(
                    RegisterAccount(email: email, password: password, displayName: name, isByAdmin: false)
                )
                Issue.record("accepted: \(email ?? "")")
            } catch {
                guard case .invalid(let failure) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(fields(failure) == expected)
            }
        }
    }

    @Test("registration that is closed is for administrators, and off it is for no client")
    func policies() async throws {
        var closed = bench
        closed.policy = .closed
        await #expect(throws: RegisterAccount.Failure.closed) { _ = try await closed.registered() }
        let command = RegisterAccount(email: "a@b", password: "0123456789", displayName: nil, isByAdmin: true)
        #expect(try await closed.register.handle(command).email?.text == "a@b")
        var off = bench
        off.policy = .off
        await #expect(throws: RegisterAccount.Failure.off) { _ = try await off.register.handle(command) }
        await #expect(throws: SignIn.Failure.off) { _ = try await off.signedIn() }
        await #expect(throws: RefreshSession.Failure.off) {
            _ = try await off.refresh.handle(RefreshSession(refreshToken: "x"))
        }
    }

    // MARK: Signing in

    @Test("a session begins with a refresh token that is stored as a digest, and an access token of the session")
    func signIn() async throws {
        let account = try await bench.registered()
        let credentials = try await bench.signedIn("ADA@example.org")
        let session = try #require(bench.mint.readRefreshToken(credentials.refreshToken)).session
        #expect(credentials.account == account && credentials.refreshExpiresIn == .seconds(3600))
        #expect(credentials.accessToken.text == "access.\(account.id).\(session)")
        #expect(bench.accounts.livingSessions(of: account.id) == [session])
        #expect(bench.attempts.attempts == ["ada@example.org 192.0.2.1"])
    }

    @Test("an unknown address, a wrong password and a disabled account cost the same work")
    func rejected() async throws {
        let account = try await bench.registered()
        let disabled = try await bench.registered("bob@example.org")
        _ = try await bench.accounts.change(disabled.id, AccountChange(isDisabled: true))
        let cases: [(String, String, SignIn.Rejection, AccountID?)] = [
            ("eve@example.org", AccountBench.password, .unknownAccount, nil),
            ("ada@example.org", "wrong", .wrongPassword, account.id),
            ("bob@example.org", AccountBench.password, .disabledAccount, disabled.id),
            ("bob@example.org", "wrong", .wrongPassword, disabled.id),
        ]
        for (email, password, rejection, id) in cases {
            await #expect(throws: SignIn.Failure.rejected(rejection, id)) {
                _ = try await bench.signIn.handle(SignIn(email: email, password: password, address: ""))
            }
        }
        #expect(bench.hashing.compared.count == cases.count && bench.hashing.compared[0] == nil)
        #expect(bench.attempts.attempts.count == cases.count, "counted with and without an account")
        #expect(bench.accounts.livingSessions(of: disabled.id).isEmpty)
    }

    @Test("too many attempts are refused before the password is compared")
    func throttled() async throws {
        _ = try await bench.registered()
        let limit = LimitReached(
            kind: .rate,
            name: "account",
            quota: 10,
            window: .seconds(60),
            retryAfter: .seconds(6)
        )
        bench.attempts.fail(.tooMany(limit))
        await #expect(throws: SignIn.Failure.tooManyAttempts(limit)) { _ = try await bench.signedIn() }
        bench.attempts.fail(.unavailable)
        await #expect(throws: SignIn.Failure.unavailable) { _ = try await bench.signedIn() }
        #expect(bench.hashing.compared.isEmpty)
        bench.attempts.fail(nil)
        bench.hashing.isBusy = true
        await #expect(throws: SignIn.Failure.busy) { _ = try await bench.signedIn() }
    }

    @Test("a digest with older parameters is made anew at the next sign-in")
    func rehash() async throws {
        let account = try await bench.registered()
        bench.accounts.put(account, HashingFake.digest(AccountBench.password, version: "1"))
        _ = try await bench.signedIn()
        #expect(bench.accounts.hash(of: account.id) == HashingFake.digest(AccountBench.password))
    }

    // MARK: Refreshing

    @Test("a refresh gives the next token for the rest of the session; a spent one counts once more within ten seconds")
    func refresh() async throws {
        let account = try await bench.registered()
        let first = try await bench.signedIn().refreshToken
        bench.clock.advance(by: .seconds(600))
        let second = try await bench.refresh.handle(RefreshSession(refreshToken: first))
        #expect(second.refreshExpiresIn == .seconds(3000) && second.account == account)
        bench.clock.advance(by: .seconds(10))
        let repeated = try await bench.refresh.handle(RefreshSession(refreshToken: first))
        await #expect(throws: RefreshSession.Failure.rejected) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: second.refreshToken))
        }
        let third = try await bench.refresh.handle(RefreshSession(refreshToken: repeated.refreshToken))
        #expect(bench.accounts.livingSessions(of: account.id).count == 1)
        await #expect(throws: RefreshSession.Failure.reused(account.id)) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: first))
        }
        #expect(bench.accounts.livingSessions(of: account.id).isEmpty)
        await #expect(throws: RefreshSession.Failure.rejected) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: third.refreshToken))
        }
    }

    @Test("a spent token that comes too late ends the session; garbage and expired tokens do not")
    func reuse() async throws {
        let account = try await bench.registered()
        let first = try await bench.signedIn().refreshToken
        let second = try await bench.refresh.handle(RefreshSession(refreshToken: first))
        for text in ["", "refresh", "access.\(account.id).1", "lm_1"] {
            await #expect(throws: RefreshSession.Failure.rejected) {
                _ = try await bench.refresh.handle(RefreshSession(refreshToken: text))
            }
        }
        await #expect(throws: RefreshSession.Failure.self) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: nil))
        }
        bench.clock.advance(by: .milliseconds(10_001))
        await #expect(throws: RefreshSession.Failure.reused(account.id)) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: first))
        }
        let other = try await bench.signedIn().refreshToken
        bench.clock.advance(by: .seconds(3600))
        for token in [second.refreshToken, other] {
            await #expect(throws: RefreshSession.Failure.rejected) {
                _ = try await bench.refresh.handle(RefreshSession(refreshToken: token))
            }
        }
    }

    // MARK: Signing out

    @Test("signing out ends the token's session, and an unknown token is no mistake")
    func signOut() async throws {
        let account = try await bench.registered()
        let (one, other) = (try await bench.signedIn(), try await bench.signedIn())
        #expect(try await bench.signOut.handle(SignOut(refreshToken: one.refreshToken)) == account.id)
        #expect(try await bench.signOut.handle(SignOut(refreshToken: one.refreshToken)) == nil)
        #expect(try await bench.signOut.handle(SignOut(refreshToken: "x")) == nil)
        await #expect(throws: SignOut.Failure.self) { _ = try await bench.signOut.handle(SignOut(refreshToken: nil)) }
        #expect(bench.accounts.livingSessions(of: account.id).count == 1)
        _ = try await bench.signedIn()
        try await bench.signOutEverywhere.handle(SignOutEverywhere(account: account.id))
        #expect(bench.accounts.livingSessions(of: account.id).isEmpty)
        await #expect(throws: RefreshSession.Failure.rejected) {
            _ = try await bench.refresh.handle(RefreshSession(refreshToken: other.refreshToken))
        }
    }
}
