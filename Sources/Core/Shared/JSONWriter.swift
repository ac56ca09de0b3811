/// Writes JSON (RFC 8259) straight into bytes, members in the order given and without white space.
///
/// One writer for responses and for the events of the token path; reading JSON is left to Foundation, except for providers'.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// An object as one value.
    package static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        begin(name)
        string(value)
    }

    /// A member whose name is data, such as a provider's.
    package mutating func member(dynamic name: String, _ value: String) {
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
        string(value)
        needsComma = true
    }

    package mutating func member(_ name: StaticString, _ value: Int?) {
        guard let value else { return }
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    package mutating func member(_ name: StaticString, _ value: Bool?) {
        guard let value else { return }
        begin(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    package mutating func member(_ name: StaticString, _ value: Double?) {
        guard let value, value.isFinite else { return }
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    /// A member whose value is JSON already.
    package mutating func member(_ name: StaticString, json value: [UInt8]?) {
        guard let value else { return }
        begin(name)
        bytes.append(contentsOf: value)
    }

    package mutating func member(_ name: StaticString, object members: (inout JSONWriter) -> Void) {
        begin(name)
        object(members)
    }

    package mutating func member<Element>(
        _ name: StaticString,
        array elements: some Sequence<Element>,
        _ write: (inout JSONWriter, Element) -> Void
    ) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        for element in elements {
            separate()
            write(&self, element)
            needsComma = true
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    // MARK: Values

    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        members(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    package mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        Self.escape(value, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends the text as the inside of a JSON string: `"`, `\`, control characters and the line separators U+0085,
    /// U+2028 and U+2029 escaped, the rest as UTF-8.
    ///
    /// JSON allows the separators as they are, but many clients split lines there.
    package static func escape(_ text: String, into bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { utf8 in
            var clean = 0
            // The mask makes one comparison of C2 and E2, the first bytes of the line separators.
            for (position, byte) in utf8.enumerated()
            where byte < 0x20 || byte == 0x22 || byte == 0x5C || byte & 0xDF == 0xC2 {
                if byte >= 0x80 {
                    guard let separator = lineSeparator(at: position, in: utf8) else { continue }
                    bytes.append(contentsOf: utf8[clean..<position])
                    bytes.append(contentsOf: separator.escape.utf8)
                    clean = position + separator.byteCount
                    continue
                }
                bytes.append(contentsOf: utf8[clean..<position])
                clean = position + 1
                bytes.append(UInt8(ascii: "\\"))
                switch byte {
                case 0x22, 0x5C: bytes.append(byte)
                case 0x0A: bytes.append(UInt8(ascii: "n"))
                case 0x0D: bytes.append(UInt8(ascii: "r"))
                case 0x09: bytes.append(UInt8(ascii: "t"))
                default:
                    let alphabet: StaticString = "0123456789abcdef"
                    bytes.append(contentsOf: "u00".utf8)
                    bytes.append(alphabet.utf8Start[Int(byte >> 4)])
                    bytes.append(alphabet.utf8Start[Int(byte & 0xF)])
                }
            }
            bytes.append(contentsOf: utf8[clean...])
        }
    }

    private static func lineSeparator(
        at position: Int,
        in utf8: UnsafeBufferPointer<UInt8>
    ) -> (escape: String, byteCount: Int)? {
        guard utf8[position] == 0xE2 else { return utf8[position + 1] == 0x85 ? (#"\u0085"#, 2) : nil }
        guard utf8[position + 1] == 0x80 else { return nil }
        switch utf8[position + 2] {
        case 0xA8: return (#"\u2028"#, 3)
        case 0xA9: return (#"\u2029"#, 3)
        case _: return nil
        }
    }

    private mutating func begin(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: "\":".utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }
}
