internal import Application
internal import Cryptography

/// The parts of a JSON Web Signature in its compact form (RFC 7515, section 7.1), not verified yet.
///
/// Strict: what two readers could read in two ways is rejected. No part of it chooses how it is verified.
struct CompactJWS {
    static let bytesMax = 8 * 1024

    /// The header's members that are allowed.
    ///
    /// All others are extensions (`crit`, `b64`, `zip`) or say where a key is to be found (`jku`, `jwk`, `x5u`, `x5c`, `x5t`),
    /// which is not for the token to say.
    private static let headerMembers: Set<String> = ["alg", "typ", "kid"]
    private static let keyIDBytesMax = 256

    /// `alg`.
    let algorithm: String
    /// `typ` in lower case.
    let kind: String?
    /// `kid`.
    let keyID: String?
    let claims: StrictObject
    /// What the signature is of.
    let message: [UInt8]
    let signature: [UInt8]

    init(_ text: String) throws(AccessTokenFault) {
        let segments = try Segments(text)
        guard let bytes = Base64URL.decode(segments.header), let header = StrictObject(bytes) else { throw .malformed }
        guard header.names.allSatisfy(Self.headerMembers.contains) else { throw .header }
        guard let algorithm = header.string("alg") else { throw .malformed }
        for name in ["typ", "kid"] where header.names.contains(name) && header.string(name) == nil { throw .malformed }
        self.algorithm = algorithm
        kind = header.string("typ")?.lowercased()
        keyID = header.string("kid")
        guard (keyID ?? "").utf8.count <= Self.keyIDBytesMax else { throw .header }
        claims = try segments.decodedClaims()
        message = Array(segments.message)
        signature = try segments.decodedSignature()
    }

    /// The three segments, still encoded.
    struct Segments {
        let header: ArraySlice<UInt8>
        let claims: ArraySlice<UInt8>
        let signature: ArraySlice<UInt8>
        /// The first two and the dot between them.
        let message: ArraySlice<UInt8>

        init(_ text: String) throws(AccessTokenFault) {
            let bytes = Array(text.utf8)
            guard bytes.count <= bytesMax else { throw .tooLong }
            let dot = UInt8(ascii: ".")
            guard let first = bytes.firstIndex(of: dot), let last = bytes.lastIndex(of: dot), first < last,
                !bytes[(first + 1)..<last].contains(dot)
            else { throw .malformed }
            header = bytes[..<first]
            claims = bytes[(first + 1)..<last]
            signature = bytes[(last + 1)...]
            message = bytes[..<last]
        }

        func decodedClaims() throws(AccessTokenFault) -> StrictObject {
            guard let bytes = Base64URL.decode(claims), let object = StrictObject(bytes) else { throw .malformed }
            return object
        }

        func decodedSignature() throws(AccessTokenFault) -> [UInt8] {
            guard let bytes = Base64URL.decode(signature) else { throw .malformed }
            // A stripped signature.
            guard !bytes.isEmpty else { throw .signature }
            return bytes
        }
    }

    /// True for the `typ` of an access token (RFC 9068, section 2.1).
    var isAccessToken: Bool { kind == "at+jwt" || kind == "application/at+jwt" }
}
