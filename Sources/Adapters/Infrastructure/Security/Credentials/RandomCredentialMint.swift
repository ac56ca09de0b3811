package import Application
internal import Cryptography
package import Shared

/// Makes refresh tokens and API keys of 256 bits from OpenSSL's random numbers; their digests are SHA-256.
///
/// A fast digest is enough: the secrets cannot be guessed as passwords can.
package struct RandomCredentialMint: CredentialMint {
    private static let secretBytes = 32
    private static let sessionBytes = 16

    package init() {}

    package func refreshToken(of session: SessionID) -> MintedCredential {
        minted(Base64URL.encode(session.bits.bytes + SecureRandom.bytes(Self.secretBytes)))
    }

    package func readRefreshToken(_ text: String) -> (session: SessionID, digest: Fingerprint)? {
        // Four characters for three bytes: a longer text is not worth decoding.
        guard text.utf8.count == (Self.sessionBytes + Self.secretBytes) / 3 * 4, let bytes = Base64URL.decode(text),
            let session = UUIDBits(bytes: bytes.prefix(Self.sessionBytes))
        else { return nil }
        return (SessionID(bits: session), digest(of: text))
    }

    package func apiKey() -> MintedCredential { minted(APIKeyText.make(SecureRandom.bytes(Self.secretBytes))) }

    package func readAPIKey(_ text: String) -> Fingerprint? { APIKeyText.isValid(text) ? digest(of: text) : nil }

    private func minted(_ text: String) -> MintedCredential { MintedCredential(text: text, digest: digest(of: text)) }

    private func digest(of text: String) -> Fingerprint { Fingerprint(Array(SHA256.digest(text.utf8))) }
}
