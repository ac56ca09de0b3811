internal import COpenSSL

/// The signature algorithms of JSON Web Signatures that are verified with a public key (RFC 7518, section 3.1; RFC
/// 8037, section 3.1).
package enum SignatureAlgorithm: String, Sendable, CaseIterable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
}

/// A public key for one signature algorithm.
///
/// Safety: `@unchecked Sendable` because OpenSSL's keys do not change after they are made and their references are
/// counted atomically; each verification has a context of its own. `@safe` because the object owns the key until
/// `deinit`.
@safe package final class PublicKey: @unchecked Sendable {
    /// The shortest and the longest RSA modulus, in bits: NIST SP 800-131A, and a bound for the time of a verification.
    package static let rsaBitsAllowed = 2048...8192

    package let algorithm: SignatureAlgorithm
    private let key: OpaquePointer

    /// An RSA key by modulus and exponent, unsigned and most significant byte first; nil for one that is too short, too
    /// long or not RSA's.
    package convenience init?(rsaModulus modulus: [UInt8], exponent: [UInt8]) {
        let modulus = Array(modulus.drop { $0 == 0 })
        let exponent = Array(exponent.drop { $0 == 0 })
        let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
        // An even modulus or exponent is no RSA key; a long exponent makes a verification slow; 1 makes every signature
        // valid.
        guard Self.rsaBitsAllowed.contains(bits), modulus.last.map({ $0 & 1 }) == 1, exponent.last.map({ $0 & 1 }) == 1,
            exponent.count <= 4, exponent != [1]
        else { return nil }
        self.init(.rs256, KeyEncoding.rsa(modulus: modulus, exponent: exponent))
    }

    /// A key on P-256 by its affine coordinates, 32 bytes each; nil for a point that is not on the curve.
    package convenience init?(p256X x: [UInt8], y: [UInt8]) {
        guard x.count == 32, y.count == 32 else { return nil }
        self.init(.es256, KeyEncoding.p256(x: x, y: y))
    }

    /// An Ed25519 key, 32 bytes.
    package convenience init?(ed25519 bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.init(.edDSA, KeyEncoding.ed25519(bytes))
    }

    /// Takes a key as an X.509 SubjectPublicKeyInfo; nil for one that OpenSSL rejects.
    private init?(_ algorithm: SignatureAlgorithm, _ encoding: [UInt8]) {
        self.algorithm = algorithm
        let parsed = unsafe encoding.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            return unsafe d2i_PUBKEY(nil, &start, bytes.count)
        }
        guard let key = unsafe parsed else {
            ERR_clear_error()
            return nil
        }
        unsafe self.key = unsafe key
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// Whether `signature`, in the form of JSON Web Signatures, is the key's for `message`.
    package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        let encoded: [UInt8]
        switch algorithm {
        case .rs256, .edDSA: encoded = signature
        case .es256:
            guard let sequence = KeyEncoding.ecdsaSignature(signature) else { return false }
            encoded = sequence
        }
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer {
            unsafe EVP_MD_CTX_free(context)
            // A wrong signature leaves errors for the thread's next call of OpenSSL.
            ERR_clear_error()
        }
        let digest = unsafe algorithm == .edDSA ? nil : EVP_sha256()
        return unsafe EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1
            && EVP_DigestVerify(context, encoded, encoded.count, message, message.count) == 1
    }
}
