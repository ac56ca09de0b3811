/// Public keys and signatures in DER (ITU-T X.690), the form in which OpenSSL takes them.
enum KeyEncoding {
    private static let sequence: UInt8 = 0x30
    private static let integer: UInt8 = 0x02
    private static let bitString: UInt8 = 0x03

    /// SubjectPublicKeyInfo of an RSA key (RFC 3279, section 2.3.1); both numbers without leading zeros.
    static func rsa(modulus: [UInt8], exponent: [UInt8]) -> [UInt8] {
        // rsaEncryption, NULL
        let algorithm: [UInt8] = [
            0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
        ]
        let key = element(sequence, element(integer, positive(modulus)) + element(integer, positive(exponent)))
        return element(sequence, algorithm + element(bitString, [0] + key))
    }

    /// SubjectPublicKeyInfo of a point on P-256 (RFC 5480, section 2).
    static func p256(x: [UInt8], y: [UInt8]) -> [UInt8] {
        // id-ecPublicKey, prime256v1
        let algorithm: [UInt8] = [
            0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D,
            0x03, 0x01, 0x07,
        ]
        // 4: both coordinates follow, not compressed.
        return element(sequence, algorithm + element(bitString, [0, 4] + x + y))
    }

    /// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4).
    static func ed25519(_ bytes: [UInt8]) -> [UInt8] {
        // id-Ed25519
        let algorithm: [UInt8] = [0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70]
        return element(sequence, algorithm + element(bitString, [0] + bytes))
    }

    /// The order of P-256's base point (FIPS 186-5; SEC 2, section 2.4.2).
    private static let p256Order: [UInt8] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ]

    /// The sequence of r and s (RFC 3279, section 2.2.3) out of their 64 bytes; nil where one of them is not in 1 …
    /// n-1.
    static func ecdsaSignature(_ signature: [UInt8]) -> [UInt8]? {
        guard signature.count == 64 else { return nil }
        let (r, s) = (signature[..<32], signature[32...])
        for number in [r, s] {
            guard number.contains(where: { $0 != 0 }), number.lexicographicallyPrecedes(p256Order) else { return nil }
        }
        let numbers = [r, s].map { positive(Array($0.drop { $0 == 0 })) }
        return element(sequence, numbers.flatMap { element(integer, $0) })
    }

    /// DER's integers are signed: a first bit of 1 would make it negative.
    private static func positive(_ number: [UInt8]) -> [UInt8] {
        guard let first = number.first, first < 0x80 else { return [0] + number }
        return number
    }

    /// An element with tag and length.
    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        let length: [UInt8] =
            switch count {
            case ..<0x80: [UInt8(count)]
            case ..<0x100: [0x81, UInt8(count)]
            case _: [0x82, UInt8(count >> 8), UInt8(count & 0xFF)]
            }
        return [tag] + length + content
    }
}
