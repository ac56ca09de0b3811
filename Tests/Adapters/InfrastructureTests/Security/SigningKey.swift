import Cryptography
import FoundationEssentials
import TestSupport
import Text

/// A private key made by OpenSSL's program for one test, with its public key as a JSON Web Key.
struct SigningKey: Sendable {
    let algorithm: SignatureAlgorithm
    let id: String?
    /// What the key set says of it, without `kid`.
    let members: String
    private let directory: TemporaryDirectory

    init(_ algorithm: SignatureAlgorithm, id: String?, rsaBits: Int = 2048) throws {
        self.algorithm = algorithm
        self.id = id
        directory = try TemporaryDirectory()
        let path = directory.path
        let kind =
            switch algorithm {
            case .rs256: ["RSA", "-pkeyopt", "rsa_keygen_bits:\(rsaBits)"]
            case .es256: ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .edDSA: ["ED25519"]
            }
        try ChildProcess.run(["openssl", "genpkey", "-out", "\(path)/key", "-algorithm"] + kind)
        try ChildProcess.run([
            "openssl", "pkey", "-in", "\(path)/key", "-pubout", "-outform", "DER", "-out", "\(path)/public",
        ])
        let encoding = Self.bytes("\(path)/public")
        switch algorithm {
        case .rs256:
            try ChildProcess.run(
                ["openssl", "rsa", "-in", "\(path)/key", "-noout", "-modulus"],
                outputPath: "\(path)/n"
            )
            let digits =
                textOfFile("\(path)/n").split(separator: "=").last.map { Array($0.utf8.filter(\.isHexDigit)) } ?? []
            let modulus = stride(from: 0, to: digits.count - 1, by: 2).map { index in
                UInt8(Hexadecimal.value(of: digits[index...(index + 1)]) ?? 0)
            }
            members = #""kty":"RSA","n":"\#(Base64URL.encode(modulus))","e":"AQAB""#
        case .es256:
            let (x, y) = (encoding.suffix(64).prefix(32), encoding.suffix(32))
            members = #""kty":"EC","crv":"P-256","x":"\#(Base64URL.encode(x))","y":"\#(Base64URL.encode(y))""#
        case .edDSA:
            members = #""kty":"OKP","crv":"Ed25519","x":"\#(Base64URL.encode(encoding.suffix(32)))""#
        }
    }

    var jwk: String {
        let name = id.map { #","kid":"\#($0)""# } ?? ""
        return "{\(members)\(name),\"use\":\"sig\",\"alg\":\"\(algorithm.rawValue)\"}"
    }

    /// A token with this key's signature; `header` replaces the whole header.
    func token(_ claims: String, header: String? = nil) throws -> String {
        let name = id.map { #","kid":"\#($0)""# } ?? ""
        let header = header ?? #"{"alg":"\#(algorithm.rawValue)","typ":"at+jwt"\#(name)}"#
        let message = "\(TokenBench.encoded(header)).\(TokenBench.encoded(claims))"
        return "\(message).\(Base64URL.encode(try sign(message)))"
    }

    func sign(_ message: String) throws -> [UInt8] {
        let path = directory.path
        try message.write(toFile: "\(path)/message", atomically: true, encoding: .utf8)
        let command =
            switch algorithm {
            case .rs256, .es256:
                ["dgst", "-sha256", "-sign", "\(path)/key", "-out", "\(path)/signature", "\(path)/message"]
            case .edDSA:
                [
                    "pkeyutl", "-sign", "-inkey", "\(path)/key", "-rawin", "-in", "\(path)/message", "-out",
                    "\(path)/signature",
                ]
            }
        try ChildProcess.run(["openssl"] + command)
        let signature = Self.bytes("\(path)/signature")
        return algorithm == .es256 ? Self.numbers(of: signature) : signature
    }

    /// r and s, 32 bytes each, out of their DER sequence.
    private static func numbers(of sequence: [UInt8]) -> [UInt8] {
        var rest = sequence.dropFirst(2)
        var numbers: [UInt8] = []
        for _ in 0..<2 {
            let count = Int(rest[rest.startIndex + 1])
            let number = rest.dropFirst(2).prefix(count).drop { $0 == 0 }
            numbers += [UInt8](repeating: 0, count: 32 - number.count) + number
            rest = rest.dropFirst(2 + count)
        }
        return numbers
    }

    private static func bytes(_ path: String) -> [UInt8] {
        FileManager.default.contents(atPath: path).map { Array($0) } ?? []
    }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool { Hexadecimal.value(ofDigit: self) != nil }
}
