internal import Cryptography

/// The keys of an issuer that can verify signatures, out of a JSON Web Key Set (RFC 7517).
struct KeySet: Sendable {
    static let empty = KeySet()
    /// More are ignored: a set has two or three while keys rotate.
    private static let keysMax = 64

    private struct Key {
        /// `kid`.
        let id: String?
        let key: PublicKey
    }

    private var keys: [Key] = []

    private init() {}

    /// Nil for a text that is no key set.
    ///
    /// A key that cannot be used here is ignored (RFC 7517, section 5): one for encryption, of another kind or algorithm, or
    /// one that is not valid.
    init?(_ bytes: [UInt8]) {
        guard let object = StrictObject(bytes), case .array(let values)? = object["keys"] else { return nil }
        for value in values where keys.count < Self.keysMax {
            guard let member = StrictObject(value), let key = Self.key(member) else { continue }
            keys.append(Key(id: member.string("kid"), key: key))
        }
    }

    var isEmpty: Bool { keys.isEmpty }
    var count: Int { keys.count }

    /// The keys for an algorithm: those with this `kid`, or all of them without one.
    func keys(for algorithm: SignatureAlgorithm, id: String?) -> [PublicKey] {
        keys.filter { $0.key.algorithm == algorithm && (id == nil || $0.id == id) }.map(\.key)
    }

    private static func key(_ member: StrictObject) -> PublicKey? {
        guard !member.names.contains("use") || member.string("use") == "sig",
            !member.names.contains("key_ops") || member.strings("key_ops")?.contains("verify") == true,
            !member.names.contains("kid") || member.string("kid") != nil, let key = publicKey(member),
            !member.names.contains("alg") || member.string("alg") == key.algorithm.rawValue
        else { return nil }
        return key
    }

    /// The key by its type (RFC 7518, section 6; RFC 8037, section 2).
    private static func publicKey(_ member: StrictObject) -> PublicKey? {
        func bytes(_ name: String) -> [UInt8]? { member.string(name).flatMap { Base64URL.decode($0) } }
        switch (member.string("kty"), member.string("crv")) {
        case ("RSA", nil):
            guard let modulus = bytes("n"), let exponent = bytes("e") else { return nil }
            return PublicKey(rsaModulus: modulus, exponent: exponent)
        case ("EC", "P-256"):
            guard let x = bytes("x"), let y = bytes("y") else { return nil }
            return PublicKey(p256X: x, y: y)
        case ("OKP", "Ed25519"):
            guard let x = bytes("x") else { return nil }
            return PublicKey(ed25519: x)
        case _: return nil
        }
    }
}
