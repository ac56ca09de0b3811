import Application
import Cryptography
import Domain
import Shared
import Synchronization

@testable import Infrastructure

/// A time of day that a test moves.
final class TestTime: WallClock {
    static let start: Int64 = 1_795_253_400

    private let milliseconds = Atomic<Int64>(start * 1000)

    var seconds: Int64 { milliseconds.load(ordering: .relaxed) / 1000 }

    func now() -> Timestamp { Timestamp(milliseconds: milliseconds.load(ordering: .relaxed)) }

    func set(_ seconds: Int64) { milliseconds.store(seconds * 1000, ordering: .relaxed) }
}

/// Makes tokens of any form, right and wrong.
enum TokenBench {
    static let secret = Array("the secret of the token tests, 32 bytes or more".utf8)
    static let account = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    static let session = "01a1fe13-1f46-7ef9-b6b2-331422f76822"
    static let header = #"{"alg":"HS256","typ":"at+jwt"}"#

    static func service(
        _ time: TestTime,
        secrets: [[UInt8]] = [secret],
        audience: String = "lemma"
    ) -> SignedAccessTokens {
        SignedAccessTokens(
            secrets: secrets,
            issuer: "lemma",
            audience: audience,
            lifetime: .seconds(900),
            clock: time,
        )
    }

    /// The claims of a good token; `changes` replaces members by JSON, or removes them.
    static func claims(_ changes: [String: String?] = [:]) -> String {
        let now = TestTime.start
        var members: [String: String?] = [
            "iss": #""lemma""#, "aud": #""lemma""#, "sub": #""\#(account)""#, "roles": #"["student"]"#,
            "sid": #""\#(session)""#, "iat": "\(now)", "nbf": "\(now)", "exp": "\(now + 900)", "jti": #""x""#,
        ]
        for (name, value) in changes { members[name] = .some(value) }
        let text = members.sorted { $0.key < $1.key }.compactMap { name, value in value.map { #""\#(name)":\#($0)"# } }
        return "{\(text.joined(separator: ","))}"
    }

    static func encoded(_ text: String) -> String { Base64URL.encode(text.utf8) }

    /// A token signed with HMAC-SHA256.
    static func hmac(_ header: String = header, _ claims: String = claims(), key: [UInt8] = secret) -> String {
        let message = "\(encoded(header)).\(encoded(claims))"
        return "\(message).\(Base64URL.encode(HMACSHA256.authenticate(message.utf8, key: key)))"
    }

    static func account(_ roles: Set<Role> = [.student]) -> Account {
        Account(
            id: AccountID(account) ?? AccountID(bits: UUIDBits(high: 0, low: 0)),
            email: nil,
            displayName: nil,
            roles: roles,
            origin: .password,
            isDisabled: false,
            createdAt: Timestamp(milliseconds: 0),
        )
    }
}

extension AccessTokenCheck {
    /// What is wrong; nil for anything but an invalid token.
    var fault: AccessTokenFault? { if case .invalid(let fault) = self { fault } else { nil } }

    var token: VerifiedToken? { if case .valid(let token) = self { token } else { nil } }
}
