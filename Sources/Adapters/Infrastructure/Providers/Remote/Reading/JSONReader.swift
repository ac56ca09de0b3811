internal import Text

/// Reads JSON as providers write it, which is a little more than RFC 8259 allows.
///
/// Foundation's decoder refuses a whole event for one odd member, and every emoji that two events share. Beyond the
/// standard this one takes: half of a surrogate pair (see ``SurrogateJoiner``), `NaN`, `Infinity` and Python's words, line
/// ends and unknown escapes in strings, a comma behind the last element, and several values one after the other. What ends
/// too early is never taken.
struct JSONReader {
    /// Not JSON, or only a part of it.
    struct Malformed: Error {}

    private static let depthMax = 256

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    init(_ text: Substring.UTF8View) { self.init(Array(text)) }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads a text that is one value.
    static func value(_ text: Substring.UTF8View) throws(Malformed) -> JSONValue { try value(Array(text)) }

    /// Reads bytes that are one value.
    static func value(_ bytes: [UInt8]) throws(Malformed) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value()
        guard reader.isAtEnd else { throw Malformed() }
        return value
    }

    /// True when only white space is left, which is passed over.
    var isAtEnd: Bool {
        mutating get {
            skipWhitespace()
            return position == bytes.count
        }
    }

    /// Passes over a word, if it is next.
    mutating func skip(_ word: String) {
        skipWhitespace()
        if rest.starts(with: word.utf8) { position += word.utf8.count }
    }

    /// What is left, without white space before it.
    var rest: ArraySlice<UInt8> { bytes[position...] }

    /// Reads the next value.
    mutating func value() throws(Malformed) -> JSONValue {
        skipWhitespace()
        switch try peek() {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case _: return try word()
        }
    }

    private func peek() throws(Malformed) -> UInt8 {
        guard position < bytes.count else { throw Malformed() }
        return bytes[position]
    }

    private mutating func skipWhitespace() {
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
    }

    /// True where the next byte is `byte`, which is passed then.
    private mutating func take(_ byte: UInt8) throws(Malformed) -> Bool {
        skipWhitespace()
        guard try peek() == byte else { return false }
        position += 1
        return true
    }

    private mutating func descend() throws(Malformed) {
        depth += 1
        position += 1
        guard depth <= Self.depthMax else { throw Malformed() }
    }

    private mutating func object() throws(Malformed) -> [JSONMember] {
        try descend()
        defer { depth -= 1 }
        var members: [JSONMember] = []
        while true {
            if try take(UInt8(ascii: "}")) { return members }
            guard try peek() == UInt8(ascii: "\"") else { throw Malformed() }
            let name = try string()
            guard try take(UInt8(ascii: ":")) else { throw Malformed() }
            members.append(JSONMember(name: name, value: try value()))
            if try take(UInt8(ascii: "}")) { return members }
            guard try take(UInt8(ascii: ",")) else { throw Malformed() }
        }
    }

    private mutating func array() throws(Malformed) -> [JSONValue] {
        try descend()
        defer { depth -= 1 }
        var values: [JSONValue] = []
        while true {
            if try take(UInt8(ascii: "]")) { return values }
            values.append(try value())
            if try take(UInt8(ascii: "]")) { return values }
            guard try take(UInt8(ascii: ",")) else { throw Malformed() }
        }
    }

    /// A number, or one of the words for nothing and for truth.
    private mutating func word() throws(Malformed) -> JSONValue {
        let start = position
        while position < bytes.count, Self.isWordByte(bytes[position]) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        switch text {
        case "true", "True": return .bool(true)
        case "false", "False": return .bool(false)
        case "null", "None", "NaN", "Infinity", "-Infinity", "-NaN", "undefined": return .null
        case _:
            let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
            guard let first = digits.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
                throw Malformed()
            }
            return .number(text)
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        case _: false
        }
    }

    // MARK: Strings

    private mutating func string() throws(Malformed) -> String {
        position += 1
        let start = position
        while true {
            let byte = try peek()
            if byte == UInt8(ascii: "\"") {
                defer { position += 1 }
                return String(decoding: bytes[start..<position], as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            position += 1
        }
    }

    private mutating func escapedString(from start: Int) throws(Malformed) -> String {
        var text = Array(bytes[start..<position])
        while true {
            let byte = try peek()
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case _: text.append(byte)
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(Malformed) {
        let byte = try peek()
        position += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try unicodeEscape()).utf8))
        // A server that forgot to escape a backslash of LaTeX.
        case _: text += [UInt8(ascii: "\\"), byte]
        }
    }

    private mutating func unicodeEscape() throws(Malformed) -> Unicode.Scalar {
        let unit = try hexadecimal(at: position)
        position += 4
        guard (0xD800..<0xE000).contains(unit) else { return Unicode.Scalar(UInt32(unit)) ?? "\u{FFFD}" }
        let isPair =
            unit < 0xDC00 && position + 6 <= bytes.count && bytes[position] == UInt8(ascii: "\\")
            && bytes[position + 1] == UInt8(ascii: "u")
        guard isPair, let low = try? hexadecimal(at: position + 2), (0xDC00..<0xE000).contains(low) else {
            return SurrogateJoiner.scalar(for: unit)
        }
        position += 6
        return SurrogateJoiner.joined(unit, low)
    }

    private func hexadecimal(at start: Int) throws(Malformed) -> UInt16 {
        guard start + 4 <= bytes.count,
            let unit = Hexadecimal.value(of: bytes[start..<start + 4])
        else { throw Malformed() }
        return UInt16(unit)
    }
}
