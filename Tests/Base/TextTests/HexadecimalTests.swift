import TestSupport
import Testing
import Text

@Suite("Hexadecimal digits", .tags(.unit))
struct HexadecimalTests {
    @Test("bytes are written with two lower-case digits each")
    func bytes() {
        #expect(Hexadecimal.text([]) == "")
        #expect(Hexadecimal.text([0, 0x0A, 0x9F, 0xFF]) == "000a9fff")
        #expect(Hexadecimal.text([0x5A, 0xA5].lazy.map(\.self)) == "5aa5")
    }

    @Test(
        "64 bits are written with 16 digits and read back",
        arguments: [
            (0, "0000000000000000"), (1, "0000000000000001"), (0x0123_4567_89AB_CDEF, "0123456789abcdef"),
            (.max, "ffffffffffffffff"),
        ] as [(UInt64, String)]
    )
    func bits(bits: UInt64, text: String) {
        #expect(Hexadecimal.text(bits) == text)
        #expect(Hexadecimal.value(of: Array(text.utf8)[...]) == bits)
        #expect(Hexadecimal.value(of: Array(text.uppercased().utf8)[...]) == bits)
    }

    @Test(
        "1 to 16 digits are a number, nothing else is",
        arguments: ["", "g", "+1", "0x1", "12 ", "00000000000000000"]
    )
    func refused(text: String) {
        #expect(Hexadecimal.value(of: Array(text.utf8)[...]) == nil)
    }

    @Test("each digit has its value, and no other byte has one")
    func digits() {
        let digits = Array("0123456789abcdef".utf8)
        for byte in UInt8.min...UInt8.max {
            let expected = digits.firstIndex(of: byte.isLetter ? byte | 0x20 : byte).map { UInt8($0) }
            #expect(Hexadecimal.value(ofDigit: byte) == expected)
        }
        #expect((0..<16).map { Hexadecimal.digit($0) } == digits)
    }
}
