import TestSupport
import Testing
import Text

@Suite("Copies of bytes", .tags(.unit))
struct ByteCopiesTests {
    private static let bytes = Array("one two".utf8)

    @Test("An array appends the bytes of a span")
    func append() {
        var array = [UInt8](copying: Self.bytes.span.extracting(first: 3))
        #expect(array == Array("one".utf8))
        array.append(copying: Self.bytes.span.extracting(last: 4))
        #expect(array == Self.bytes)
        array.append(copying: [UInt8]().span)
        #expect(array == Self.bytes)
    }

    @Test("An array appends the UTF-8 of a literal")
    func literal() {
        var array = Array("x".utf8)
        array.append("é")
        array.append("" as StaticString)
        #expect(array == Array("xé".utf8))
    }

    @Test(
        "Text is decoded with repairs",
        arguments: [([], ""), ([0x78, 0xC3, 0xA9], "xé"), ([0x78, 0xFF, 0x79], "x\u{FFFD}y")] as [([UInt8], String)]
    )
    func text(bytes: [UInt8], text: String) {
        let decoded = String(repairing: bytes.span)
        #expect(decoded == text)
    }

    @Test("The first position of a byte", arguments: [("o", 0), ("e", 2), (" ", 3), ("x", nil)] as [(String, Int?)])
    func position(text: String, position: Int?) {
        let byte = Array(text.utf8)[0]
        let found = Self.bytes.span.firstIndex(of: byte)
        #expect(found == position)
        let inEmpty = [UInt8]().span.firstIndex(of: byte)
        #expect(inEmpty == nil)
    }

    @Test(
        "A span equals a collection of the same bytes only",
        arguments: [("one two", true), ("one twO", false), ("one", false), ("one two three", false), ("", false)]
    )
    func equality(text: String, isEqual: Bool) {
        let result = Self.bytes.span.elementsEqual(text.utf8)
        #expect(result == isEqual)
    }
}
