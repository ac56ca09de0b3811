/// Writes JSON strings (RFC 8259, section 7).
///
/// Control characters and the line separators U+0085, U+2028 and U+2029 are escaped, the rest stays UTF-8: JSON allows the
/// separators as they are, but many clients split lines there. Bytes that are no UTF-8 became U+FFFD when the `String`
/// was made.
package enum JSONText {
    /// Appends the inside of a JSON string.
    ///
    /// By default the control characters are those that JSON forbids, U+0000 to U+001F. `allControls` adds U+007F to
    /// U+009F, which move a terminal's cursor.
    package static func escape(_ text: String, into bytes: inout [UInt8], allControls: Bool = false) {
        let utf8 = text.utf8.span
        var clean = 0
        for position in utf8.indices {
            let byte = utf8[position]
            // The mask makes one comparison of C2 and E2, the first bytes of the line separators.
            guard byte < 0x20 || byte == 0x22 || byte == 0x5C || byte & 0xDF == 0xC2 || byte == 0x7F,
                let scalar = escapedScalar(at: position, in: utf8, allControls)
            else { continue }
            bytes.append(copying: utf8.extracting(clean..<position))
            clean = position + scalar.byteCount
            append(escapeOf: scalar.code, to: &bytes)
        }
        bytes.append(copying: utf8.extracting(clean...))
    }

    /// Appends a quoted string for a log: escapes all control characters, and cuts the text where it has more than
    /// `bytesMax` bytes of UTF-8 before escaping, which is 4 at least; false when it was cut.
    @discardableResult
    package static func append(_ text: String, to output: inout [UInt8], bytesMax: Int = .max) -> Bool {
        output.append(UInt8(ascii: "\""))
        let isWhole = text.utf8.count <= bytesMax
        escape(isWhole ? text : prefix(of: text, bytesMax), into: &output, allControls: true)
        output.append(contentsOf: isWhole ? "\"".utf8 : "…\"".utf8)
        return isWhole
    }

    /// Cut between two scalars: a scalar has at most four bytes.
    private static func prefix(of text: String, _ bytesMax: Int) -> String {
        var end = text.utf8.index(text.startIndex, offsetBy: bytesMax - 3)
        while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(after: end) }
        return String(text[..<end])
    }

    /// The scalar at `position`, below U+FFFF, if it is to be escaped.
    private static func escapedScalar(
        at position: Int,
        in utf8: Span<UInt8>,
        _ allControls: Bool
    ) -> (code: UInt16, byteCount: Int)? {
        let byte = utf8[position]
        switch byte {
        case 0x7F: return allControls ? (0x7F, 1) : nil
        case 0xC2:
            let code = utf8[position + 1]
            return code == 0x85 || allControls && code < 0xA0 ? (UInt16(code), 2) : nil
        case 0xE2:
            guard utf8[position + 1] == 0x80 else { return nil }
            switch utf8[position + 2] {
            case 0xA8: return (0x2028, 3)
            case 0xA9: return (0x2029, 3)
            case _: return nil
            }
        case _: return (UInt16(byte), 1)
        }
    }

    private static func append(escapeOf code: UInt16, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch code {
        case 0x22, 0x5C: bytes.append(UInt8(code))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case _:
            bytes.append(UInt8(ascii: "u"))
            for shift: UInt16 in [12, 8, 4, 0] { bytes.append(Hexadecimal.digit(UInt8(code >> shift & 15))) }
        }
    }
}
