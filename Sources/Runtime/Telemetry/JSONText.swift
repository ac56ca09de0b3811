/// Appends JSON strings (RFC 8259, section 7).
package enum JSONText {
    /// Appends a quoted string, cut before the scalar that would pass `bytesMax` bytes of UTF-8 before escaping, which is
    /// 4 at least; false when it was cut.
    ///
    /// Control characters are escaped, also those of C1, which move a terminal's cursor. What was no UTF-8 has become
    /// U+FFFD when the `String` was made.
    @discardableResult
    package static func append(_ text: String, to output: inout [UInt8], bytesMax: Int = .max) -> Bool {
        output.append(UInt8(ascii: "\""))
        var count = 0
        // U+0080 to U+009F are this byte and another.
        var isAfterC2 = false
        for byte in text.utf8 {
            let beginsScalar = byte & 0xC0 != 0x80
            if beginsScalar, count > bytesMax - 4, text.utf8.count > bytesMax {
                output.append(contentsOf: "…\"".utf8)
                return false
            }
            count += 1
            if isAfterC2, byte < 0xA0 {
                appendHex(byte, to: &output)
            } else {
                if isAfterC2 { output.append(0xC2) }
                if byte != 0xC2 { appendEscaped(byte, to: &output) }
            }
            isAfterC2 = byte == 0xC2
        }
        output.append(UInt8(ascii: "\""))
        return true
    }

    private static func appendEscaped(_ byte: UInt8, to output: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""): output.append(contentsOf: "\\\"".utf8)
        case UInt8(ascii: "\\"): output.append(contentsOf: "\\\\".utf8)
        case 0x0A: output.append(contentsOf: "\\n".utf8)
        case 0x0D: output.append(contentsOf: "\\r".utf8)
        case 0x09: output.append(contentsOf: "\\t".utf8)
        case 0..<0x20, 0x7F: appendHex(byte, to: &output)
        default: output.append(byte)
        }
    }

    private static func appendHex(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(contentsOf: "\\u00".utf8)
        output.append(hexDigit(byte >> 4))
        output.append(hexDigit(byte & 15))
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
