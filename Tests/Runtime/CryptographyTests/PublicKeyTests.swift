import Cryptography
import TestSupport
import Testing

@Suite("Public keys", .tags(.unit))
struct PublicKeyTests {
    /// RFC 7515, appendix A.2 and A.3; RFC 8037, appendix A.4.
    private enum Vector {
        static let claims =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        static let modulus =
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
            + "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2"
            + "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD"
            + "TW9gb54h4FRWyuXpoQ"
        static let rsaSignature =
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
            + "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
            + "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
            + "cN_IoypGlUPQGe77Rw"
        static let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
        static let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        static let ecSignature =
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        static let ed25519 = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        static let edSignature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    }

    /// A key of each algorithm with a message that it has signed.
    private static func examples() throws -> [(key: PublicKey, message: [UInt8], signature: [UInt8])] {
        let rsa = try #require(PublicKey(rsaModulus: bytes(Vector.modulus), exponent: [1, 0, 1]))
        let curve = try #require(PublicKey(p256X: bytes(Vector.x), y: bytes(Vector.y)))
        let edwards = try #require(PublicKey(ed25519: bytes(Vector.ed25519)))
        let edMessage = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
        return [
            (rsa, Array("eyJhbGciOiJSUzI1NiJ9.\(Vector.claims)".utf8), bytes(Vector.rsaSignature)),
            (curve, Array("eyJhbGciOiJFUzI1NiJ9.\(Vector.claims)".utf8), bytes(Vector.ecSignature)),
            (edwards, Array(edMessage.utf8), bytes(Vector.edSignature)),
        ]
    }

    private static func bytes(_ text: String) -> [UInt8] { Base64URL.decode(text) ?? [] }

    @Test("the signatures of the RFCs' examples are verified, and only with their own key")
    func vectors() throws {
        let examples = try Self.examples()
        #expect(examples.map(\.key.algorithm) == [.rs256, .es256, .edDSA])
        for (key, message, signature) in examples {
            #expect(key.verify(signature, of: message), "\(key.algorithm)")
            for other in examples where other.key !== key {
                #expect(!key.verify(other.signature, of: other.message), "\(key.algorithm)")
            }
        }
    }

    @Test("a signature or message with one bit changed, and a signature of another length, is refused")
    func changes() throws {
        for (key, message, signature) in try Self.examples() {
            for place in stride(from: 0, to: signature.count, by: 7) {
                var changed = signature
                changed[place] ^= 1
                #expect(!key.verify(changed, of: message), "\(key.algorithm) \(place)")
            }
            #expect(!key.verify(signature, of: message.dropLast() + [0]))
            for wrong in [[], Array(signature.dropLast()), signature + [0], [0] + signature] {
                #expect(!key.verify(wrong, of: message), "\(key.algorithm) \(wrong.count)")
            }
        }
    }

    @Test("an ECDSA signature must have both numbers between 0 and the order; zeros sign nothing")
    func ecdsaRange() throws {
        let example = try Self.examples()[1]
        let order: [UInt8] = [
            0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
        ]
        let zero = [UInt8](repeating: 0, count: 32)
        let most = [UInt8](repeating: 0xFF, count: 32)
        let (r, s) = (Array(example.signature.prefix(32)), Array(example.signature.suffix(32)))
        for wrong in [zero + zero, zero + s, r + zero, order + s, r + order, most + most, r + most] {
            #expect(!example.key.verify(wrong, of: example.message))
        }
    }

    @Test("a key that is too short, not on its curve or otherwise wrong is refused, and leaves no error behind")
    func badKeys() {
        let modulus = Self.bytes(Vector.modulus)
        let x = Self.bytes(Vector.x)
        let y = Self.bytes(Vector.y)
        #expect(
            PublicKey(rsaModulus: [0, 0] + modulus, exponent: [0, 1, 0, 1]) != nil,
            "leading zeros are no part of it"
        )
        for (modulus, exponent): ([UInt8], [UInt8]) in [
            ([], [1, 0, 1]), ([0], [1, 0, 1]), (Array(modulus.prefix(128)), [1, 0, 1]),
            (modulus.dropLast() + [0], [1, 0, 1]),
            ([UInt8](repeating: 0xFF, count: 1025), [1, 0, 1]), (modulus, []), (modulus, [0]), (modulus, [1]),
            (modulus, [2]), (modulus, [1, 0, 0, 0, 1]),
        ] {
            #expect(PublicKey(rsaModulus: modulus, exponent: exponent) == nil, "\(modulus.count) \(exponent)")
        }
        let zero = [UInt8](repeating: 0, count: 32)
        let most = [UInt8](repeating: 0xFF, count: 32)
        for (x, y) in [
            ([], []), (x, x), (y, x), (zero, zero), (most, most), (Array(x.dropFirst()), y), ([0] + x, y), (x, y + [0]),
            (x, zero),
        ] {
            #expect(PublicKey(p256X: x, y: y) == nil)
        }
        for wrong in [[], Array(x.dropLast()), x + [0]] { #expect(PublicKey(ed25519: wrong) == nil) }
        #expect(PublicKey(p256X: x, y: y) != nil)
    }
}
