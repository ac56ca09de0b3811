import Cryptography
import FoundationEssentials
import TestSupport

/// A client of accounts, keys and administration at one port.
struct AccountClient: Sendable {
    static let password = "correct horse battery"
    /// Of ``Deployment``.
    static let secret = "a secret that only this test knows and nobody else"
    /// Accounts are needed, and no limit hinders a test.
    static let settings = [
        "AUTH_REQUIRED": "true", "RATE_LIMIT_AUTH": "off", "USER_MAX_ACTIVE": "off", "JWT_SECRET": secret,
    ]

    let port: Int

    struct User: Decodable, Sendable {
        let id: String
        let email: String
    }

    struct Credentials: Decodable, Sendable {
        let accessToken: String
        let refreshToken: String
    }

    struct Key: Decodable, Sendable {
        let id: String
        let key: String
    }

    /// An account that is signed in.
    struct Member: Sendable {
        let user: User
        let token: String
        let refreshToken: String
    }

    func send(
        _ method: String,
        _ path: String,
        _ body: String = "",
        token: String? = nil,
        headers: [(String, String)] = [],
        within limit: Duration = .seconds(20)
    ) throws -> RawResponse {
        let credentials = token.map { [("Authorization", "Bearer \($0)")] } ?? []
        return try HTTPCall.send(
            method,
            port: port,
            path,
            headers: credentials + headers,
            body: body,
            within: limit,
        )
    }

    /// Sends a request whose status is known, and decodes its body.
    func call<Body: Decodable>(
        _ method: String,
        _ path: String,
        _ body: String,
        token: String? = nil,
        status: Int
    ) throws -> Body {
        let response = try send(method, path, body, token: token)
        guard response.status == status else { throw Client.Unexpected(response: response) }
        return try JSONDecoder().decode(Body.self, from: Data(response.body.utf8))
    }

    func register(_ email: String) throws -> User {
        let body = #"{"email":"\#(email)","password":"\#(Self.password)"}"#
        return try call("POST", "/api/auth/register", body, status: 201)
    }

    func signIn(_ email: String) throws -> Credentials {
        let body = #"{"email":"\#(email)","password":"\#(Self.password)"}"#
        return try call("POST", "/api/auth/login", body, status: 200)
    }

    func join(_ email: String) throws -> Member {
        let user = try register(email)
        let credentials = try signIn(email)
        return Member(user: user, token: credentials.accessToken, refreshToken: credentials.refreshToken)
    }

    func makeKey(_ token: String, _ members: String = #""name":"test""#) throws -> Key {
        try call("POST", "/api/keys", "{\(members)}", token: token, status: 201)
    }

    func submit(_ problem: String, token: String) throws -> Client.Submitted {
        try call("POST", "/api/math/solve", try Client.body(problem), token: token, status: 202)
    }

    func refresh(_ token: String) throws -> RawResponse {
        try send("POST", "/api/auth/refresh", #"{"refreshToken":"\#(token)"}"#)
    }
}

extension Deployment {
    /// The accounts' client of one replica.
    func accounts(_ replica: Int = 0) -> AccountClient { AccountClient(port: apis[replica].httpPort) }

    /// An administrator that is signed in; the role is granted by command.
    func administrator(_ email: String = "root@example.org") throws -> AccountClient.Member {
        let client = accounts()
        _ = try client.register(email)
        try run("users", "role", email, "admin")
        let credentials = try client.signIn(email)
        let token = credentials.accessToken
        let user: AccountClient.User = try client.call("GET", "/api/auth/me", "", token: token, status: 200)
        return AccountClient.Member(
            user: user,
            token: token,
            refreshToken: credentials.refreshToken,
        )
    }
}

/// An access token that the test signs itself, with the product's secret.
struct ForgedToken {
    var account: String
    var type = "at+jwt"
    var issuer = "lemma"
    var audience = "lemma"
    /// Seconds from now.
    var expiresIn = 600
    var roles = ["student"]

    var text: String {
        let now = Int(Date().timeIntervalSince1970)
        let roles = roles.map { "\"\($0)\"" }.joined(separator: ",")
        let header = #"{"alg":"HS256","typ":"\#(type)"}"#
        let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
        let claims =
            #"{"iss":"\#(issuer)","aud":"\#(audience)","sub":"\#(account)","roles":[\#(roles)],"sid":"\#(id)","#
            + #""iat":\#(now - 700),"nbf":\#(now - 700),"exp":\#(now + expiresIn),"jti":"\#(id)"}"#
        let signed = "\(Base64URL.encode(header.utf8)).\(Base64URL.encode(claims.utf8))"
        let code = HMACSHA256.authenticate(Array(signed.utf8), key: Array(AccountClient.secret.utf8))
        return "\(signed).\(Base64URL.encode(code))"
    }
}
