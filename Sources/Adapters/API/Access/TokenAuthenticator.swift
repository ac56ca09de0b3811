package import Application
package import Domain
package import HTTPServer
package import Instrumentation
package import Shared
package import Telemetry

/// Identifies callers by access tokens, API keys and stream tickets.
///
/// ```
///  Authorization: Bearer …             the caller is                              else
///  access token of Lemma's own         its account, in its session                401
///  access token of an issuer           the account of the issuer's user           401; 503 while it is not known
///  API key                             its account, or the end user it names      401; 503 while it is not known
///  anything else                       anonymous where no caller is required      401
/// ```
/// A wrong token or key is an error also where none is required: the client believes that it acts as a user.
/// Credentials of other forms are ignored there: a proxy's Basic credentials, or the key that an SDK insists on
/// sending.
package struct TokenAuthenticator: Authenticator {
    private let tickets: any TokenService
    private let accessTokens: any AccessTokenVerifier
    private let mint: any CredentialMint
    private let directory: AccessDirectory
    private let clock: any WallClock
    private let isRequired: Bool
    private let failures: Counters<AuthenticationFailure>

    /// With `isRequired` false, a request without credentials acts as ``Caller/anonymous``.
    package init(
        tickets: any TokenService,
        accessTokens: any AccessTokenVerifier,
        mint: any CredentialMint,
        directory: AccessDirectory,
        clock: any WallClock,
        isRequired: Bool,
        failures: Counters<AuthenticationFailure>
    ) {
        self.tickets = tickets
        self.accessTokens = accessTokens
        self.mint = mint
        self.directory = directory
        self.clock = clock
        self.isRequired = isRequired
        self.failures = failures
    }

    package func precheck(_ head: HTTPRequest) throws(APIProblem) {
        switch Credential(head.headers["Authorization"]) {
        case .accessToken(let text):
            try rejectEndUser(head)
            switch accessTokens.check(text) {
            case .valid(let token): if case .account(let id, _) = token.subject { try rejectWithdrawn(id) }
            case .invalid(let fault): throw invalid(fault)
            case .undecided: break
            }
        case .apiKey(let text):
            guard let known = directory.knownKey(try digest(of: text)) else { return }
            _ = try caller(known, head)
        case let credential: _ = try unidentified(credential, head)
        }
    }

    package func caller(of request: HTTPRequest) async throws(APIProblem) -> Caller {
        switch Credential(request.headers["Authorization"]) {
        case .accessToken(let text):
            try rejectEndUser(request)
            return try await caller(ofToken: text)
        case .apiKey(let text): return try await caller(ofKey: text, request)
        case let credential: return try unidentified(credential, request)
        }
    }

    /// A ticket counts beside other credentials, but not beside an access token or an API key.
    package func viewer(of stream: CorrelationID, in request: HTTPRequest) async throws(APIProblem) -> Caller {
        let isOurs = Credential(request.headers["Authorization"])?.isOurs ?? false
        guard !isOurs, let ticket = request.query["ticket"] else { return try await caller(of: request) }
        try rejectEndUser(request)
        guard let holder = tickets.verify(ticket: ticket, for: stream) else {
            failures[.invalidTicket].increment()
            throw .unauthenticated("invalid_token", "The ticket is not valid for this stream, or has expired.")
        }
        let caller = Caller.holder(ofTicketOf: holder.user, key: holder.key)
        guard !directory.withdrawn.covers(caller) else { throw withdrawn() }
        return caller
    }

    /// The roles of an issuer's user are those of its token; the others are stored.
    package func currentRoles(of caller: Caller) async throws(APIProblem) -> Set<Role> {
        guard let id = caller.account else { return [] }
        let account: Account?
        do throws(RepositoryFailure) {
            account = try await directory.storedAccount(id)
        } catch {
            throw .storeUnavailable("The roles of the account cannot be read right now. Please try again.")
        }
        guard let account, !account.isDisabled else { throw withdrawn() }
        return switch account.origin {
        case .password: account.roles
        case .issuer: caller.roles
        }
    }

    // MARK: Access tokens

    private func caller(ofToken text: String) async throws(APIProblem) -> Caller {
        let token: VerifiedToken
        do throws(AccessTokenFailure) {
            token = try await accessTokens.verify(text)
        } catch {
            switch error {
            case .invalid(let fault): throw invalid(fault)
            case .keysUnavailable:
                throw .storeUnavailable("The keys of the token's issuer cannot be read right now. Please try again.")
            }
        }
        switch token.subject {
        case .account(let id, let session):
            try rejectWithdrawn(id)
            return caller(id, token.roles, .accessToken(session: session))
        case .issuer(let issuer, let subject):
            return caller(try await account(of: subject, at: issuer), token.roles, .accessToken(session: nil))
        }
    }

    private func account(of subject: String, at issuer: String) async throws(APIProblem) -> AccountID {
        let account: AccountID?
        do throws(RepositoryFailure) {
            account = try await directory.account(of: subject, at: issuer)
        } catch {
            throw .storeUnavailable("Your account cannot be read right now. Please try again.")
        }
        guard let account else { throw withdrawn() }
        return account
    }

    private func caller(_ id: AccountID, _ roles: Set<Role>, _ credential: Caller.Credential) -> Caller {
        Caller(
            user: UserID(id),
            account: id,
            roles: roles,
            scopes: Set(KeyScope.allCases),
            credential: credential,
        )
    }

    // MARK: API keys

    private func caller(ofKey text: String, _ request: HTTPRequest) async throws(APIProblem) -> Caller {
        let digest = try digest(of: text)
        let owned: OwnedKey?
        do throws(RepositoryFailure) {
            owned = try await directory.key(digest)
        } catch {
            throw .storeUnavailable("API keys cannot be checked right now. Please try again.")
        }
        let caller = try caller(owned, request)
        if let key = caller.key { directory.noteUse(of: key, at: clock.now()) }
        return caller
    }

    private func digest(of text: String) throws(APIProblem) -> Fingerprint {
        guard let digest = mint.readAPIKey(text) else {
            throw invalidKey("The API key is not valid: its checksum does not match.")
        }
        return digest
    }

    private func caller(_ owned: OwnedKey?, _ request: HTTPRequest) throws(APIProblem) -> Caller {
        guard let owned else { throw invalidKey("The API key is unknown, or was revoked.") }
        let (key, account) = (owned.key, owned.account.id)
        guard !directory.withdrawn.contains(key.id) else { throw invalidKey("The API key is unknown, or was revoked.") }
        try rejectWithdrawn(account)
        if let end = key.expiresAt, end <= clock.now() { throw invalidKey("The API key has expired.") }
        let endUser = try endUser(of: key, request)
        return Caller(
            user: endUser.map { UserID(endUser: $0, of: account) } ?? UserID(account),
            account: account,
            // A key is no administrator, whatever its owner is.
            roles: [.student],
            scopes: key.scopes,
            credential: .apiKey(key.id, key.limits),
        )
    }

    // MARK: End users

    private static let endUserHeader = "X-End-User"
    private static let endUserBytes = 1...128

    private func endUser(of key: APIKey, _ request: HTTPRequest) throws(APIProblem) -> String? {
        guard let name = request.headers[Self.endUserHeader] else { return nil }
        guard key.actsForEndUsers else { throw .endUserForbidden }
        guard Self.endUserBytes.contains(name.utf8.count), name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw APIProblem(.malformedRequest, "X-End-User must have 1 to 128 visible ASCII characters.")
        }
        return name
    }

    private func rejectEndUser(_ request: HTTPRequest) throws(APIProblem) {
        guard request.headers[Self.endUserHeader] == nil else { throw .endUserForbidden }
    }

    // MARK: Failures

    /// The caller of a request without credentials of Lemma's.
    private func unidentified(_ credential: Credential?, _ request: HTTPRequest) throws(APIProblem) -> Caller {
        guard isRequired else {
            try rejectEndUser(request)
            return .anonymous
        }
        switch credential {
        case .accessToken, .apiKey, .otherToken:
            failures[.invalidToken].increment()
            throw .unauthenticated("invalid_token", "The token is neither an access token nor an API key.")
        case .otherScheme:
            failures[.malformed].increment()
            throw .unauthenticated("invalid_request", "Authorization must be of the form: Bearer <token>.")
        case nil:
            failures[.missing].increment()
            throw .unauthenticated("invalid_request", "This needs an access token: Authorization: Bearer <token>.")
        }
    }

    private func rejectWithdrawn(_ account: AccountID) throws(APIProblem) {
        guard !directory.withdrawn.contains(account) else { throw withdrawn() }
    }

    private func withdrawn() -> APIProblem {
        failures[.withdrawn].increment()
        return .unauthenticated("invalid_token", "The account or the API key has no access any more.")
    }

    private func invalid(_ fault: AccessTokenFault) -> APIProblem {
        failures[.invalidToken].increment()
        return .unauthenticated("invalid_token", fault.sentence)
    }

    private func invalidKey(_ detail: String) -> APIProblem {
        failures[.invalidKey].increment()
        return .unauthenticated("invalid_token", detail)
    }
}

extension APIProblem {
    fileprivate static var endUserForbidden: APIProblem {
        APIProblem(.forbidden, "X-End-User needs an API key that acts for end users.")
    }
}

extension AccessTokenFault {
    /// What the client is told; see ``APIProblem/unauthenticated(_:_:)``.
    var sentence: String {
        switch self {
        case .tooLong: "The access token is longer than 8 KiB."
        case .malformed: "The access token is malformed."
        case .header: "The access token has a header member that is not allowed."
        case .kind: "The token is no access token, by its typ."
        case .algorithm: "The algorithm of the access token is not allowed."
        case .issuer: "The issuer of the access token is not known."
        case .key: "The issuer has no such key, or the access token does not say which."
        case .signature: "The signature of the access token is not valid."
        case .audience: "The access token is for another audience."
        case .expired: "The access token has expired."
        case .notYetValid: "The access token is not valid yet."
        case .claims: "The access token lacks a claim, or has one of another form."
        }
    }
}
