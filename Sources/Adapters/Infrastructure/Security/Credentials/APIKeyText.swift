/// The text of API keys: `lm_`, 256 random bits as 43 characters in base 62, and the CRC-32 of all before as 6 more.
///
/// The prefix lets scanners of repositories find keys, the checksum rejects a typing error without a look-up. It proves
/// nothing: anyone can compute it.
enum APIKeyText {
    static let prefix = "lm_"
    private static let secretCharacters = 43
    private static let checksumCharacters = 6

    /// The text of a key with these 32 bytes.
    static func make(_ bytes: [UInt8]) -> String {
        precondition(bytes.count == 32, "a key has 256 bits")
        let text = prefix + Base62.text(of: bytes, characters: secretCharacters)
        return text + checksum(of: text)
    }

    static func isValid(_ text: String) -> Bool {
        guard text.utf8.count == prefix.utf8.count + secretCharacters + checksumCharacters, text.hasPrefix(prefix),
            text.utf8.dropFirst(prefix.utf8.count).allSatisfy({ Base62.alphabet.contains($0) })
        else { return false }
        return text.hasSuffix(checksum(of: String(text.dropLast(checksumCharacters))))
    }

    private static func checksum(of text: String) -> String {
        let sum = CRC32.checksum(text.utf8)
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * $0)) }
        return Base62.text(of: bytes, characters: checksumCharacters)
    }
}

/// Numbers in base 62: digits, upper case, lower case.
private enum Base62 {
    static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A number, most significant byte first, with leading zeros up to `characters`, which it fits in.
    static func text(of bytes: [UInt8], characters: Int) -> String {
        var number = bytes
        var digits: [UInt8] = []
        for _ in 0..<characters {
            var rest = 0
            for index in number.indices {
                let value = rest << 8 | Int(number[index])
                number[index] = UInt8(value / 62)
                rest = value % 62
            }
            digits.append(alphabet[rest])
        }
        precondition(number.allSatisfy { $0 == 0 }, "the number has more characters")
        return String(decoding: digits.reversed(), as: UTF8.self)
    }
}

/// The cyclic redundancy check of Ethernet, ZIP and PNG (ISO/IEC 13239; polynomial 0x04C11DB7, reflected).
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
    }

    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { sum, byte in table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8 }
    }
}
