internal import Text

/// Validates JSON by its grammar (RFC 8259).
///
/// Foundation's decoder is lenient: it accepts trailing commas, and uses the first of several members with the same
/// name.
///
/// ```
///  value ─► { ─► name : value ─► , ─► name …     } ─► next
///           [ ─► value ─► , ─► value …           ]
///           "…"  number  true  false  null
/// ```
/// Creates no values. Names of members are compared decoded, byte by byte, without Unicode equivalence.
package struct JSONSyntax {
    /// Why a text is not valid, as it can be reported to the client.
    package enum Failure: Error, Equatable {
        case malformed
        case notUTF8
        /// Carries the name.
        case repeatedMember(String)
        case tooDeep
    }

    /// Maximum nesting of objects and arrays.
    package static let depthMax = 128

    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Validates one text; a byte-order mark before it is ignored.
    package static func check(_ bytes: [UInt8]) throws(Failure) {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8 }
        var syntax = JSONSyntax(bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { syntax.index = 3 }
        try syntax.value()
        guard syntax.index == bytes.count else { throw .malformed }
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    /// Consumes the next byte if it is `byte`; else false.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { index += 1 }
    }

    /// Consumes a value and the white space around it.
    private mutating func value() throws(Failure) {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): try nested { (syntax) throws(Failure) in try syntax.object() }
        case UInt8(ascii: "["): try nested { (syntax) throws(Failure) in try syntax.array() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        case _: try number()
        }
        skipSpace()
    }

    private mutating func nested(_ body: (inout JSONSyntax) throws(Failure) -> Void) throws(Failure) {
        index += 1
        depth += 1
        guard depth <= Self.depthMax else { throw .tooDeep }
        try body(&self)
        depth -= 1
    }

    private mutating func object() throws(Failure) {
        skipSpace()
        if take(UInt8(ascii: "}")) { return }
        var names: Set<[UInt8]> = []
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw .malformed }
            let name = try string()
            guard names.insert(name).inserted else { throw .repeatedMember(String(decoding: name, as: UTF8.self)) }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw .malformed }
            try value()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw .malformed }
    }

    private mutating func array() throws(Failure) {
        skipSpace()
        if take(UInt8(ascii: "]")) { return }
        repeat { try value() } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw .malformed }
    }

    private mutating func word(_ word: String) throws(Failure) {
        guard bytes[index...].starts(with: word.utf8) else { throw .malformed }
        index += word.utf8.count
    }

    private mutating func number() throws(Failure) {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
    }

    /// Consumes one digit or more.
    private mutating func digits() throws(Failure) {
        let start = index
        while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
        guard index > start else { throw .malformed }
    }

    // MARK: Strings

    /// Consumes a string and returns it decoded.
    private mutating func string() throws(Failure) -> [UInt8] {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): text.append(contentsOf: try escape().utf8)
            case 0..<0x20: throw .malformed
            case _: text.append(byte)
            }
        }
        throw .malformed
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        guard let byte = next else { throw .malformed }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try scalar()
        case _: throw .malformed
        }
    }

    /// The scalar of a `\u` escape; half of a surrogate pair is malformed.
    private mutating func scalar() throws(Failure) -> Unicode.Scalar {
        let high = try codeUnit()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard UTF16.isLeadSurrogate(high), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw .malformed }
        let low = try codeUnit()
        guard UTF16.isTrailSurrogate(low) else { throw .malformed }
        let code = 0x1_0000 + (UInt32(high & 0x3FF) << 10 | UInt32(low & 0x3FF))
        guard let scalar = Unicode.Scalar(code) else { throw .malformed }
        return scalar
    }

    private mutating func codeUnit() throws(Failure) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Hexadecimal.value(ofDigit: byte) else { throw .malformed }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }
}
