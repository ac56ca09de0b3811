package import Application
internal import Cryptography
package import Shared
internal import Time

/// Tickets for streams: `<user>.<expiry>.<code>` or, with an API key, `<user>.<expiry>.<key>.<code>`; the code is an
/// HMAC-SHA256 (RFC 2104) over the stream and all before it.
///
/// Stateless, so that every replica with the same secrets accepts them.
package struct SignedTicketService: TokenService {
    /// Keeps the codes apart from those of access tokens, which have the same secrets.
    private static let purpose = "lemma stream ticket 1"

    private let secrets: [[UInt8]]
    private let lifetime: Duration
    private let clock: any WallClock

    /// The first of `secrets` signs, all of them verify; `lifetime` is as long as a stream can live.
    package init(secrets: [[UInt8]], lifetime: Duration, clock: any WallClock) {
        precondition(!secrets.isEmpty, "tickets need a secret to sign with")
        self.secrets = secrets
        self.lifetime = lifetime
        self.clock = clock
    }

    package func issueTicket(for stream: CorrelationID, user: UserID, key: APIKeyID?) -> String {
        let expiry = clock.now().milliseconds / 1000 + lifetime.wholeSeconds
        let keyPart = key.map { ".\(Base64URL.encode($0.bits.bytes))" } ?? ""
        let claims = "\(Base64URL.encode(user.text.utf8)).\(expiry)\(keyPart)"
        let code = HMACSHA256.authenticate(message(claims, stream), key: secrets[0])
        return "\(claims).\(Base64URL.encode(code))"
    }

    package func verify(ticket: String, for stream: CorrelationID) -> TicketHolder? {
        let parts = ticket.split(separator: ".", omittingEmptySubsequences: false)
        guard (3...4).contains(parts.count), let expiry = Int64(parts[1]),
            let user = Base64URL.decode(parts[0]).flatMap({ String(validating: $0, as: UTF8.self) }),
            let code = Base64URL.decode(parts[parts.count - 1])
        else { return nil }
        let message = message(parts.dropLast().joined(separator: "."), stream)
        guard secrets.contains(where: { HMACSHA256.verify(code, of: message, key: $0) }),
            clock.now().milliseconds / 1000 < expiry
        else { return nil }
        guard parts.count == 4 else { return TicketHolder(user: UserID(user)) }
        guard let key = Base64URL.decode(parts[2]).flatMap({ UUIDBits(bytes: $0) }) else { return nil }
        return TicketHolder(user: UserID(user), key: APIKeyID(bits: key))
    }

    private func message(_ claims: String, _ stream: CorrelationID) -> [UInt8] {
        Array("\(Self.purpose)\n\(stream)\n\(claims)".utf8)
    }
}
