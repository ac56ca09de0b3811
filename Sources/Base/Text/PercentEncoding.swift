/// Reads percent-encoded text (RFC 3986, section 2.1).
package enum PercentEncoding {
    /// Decodes `%41` and, with `plusIsSpace`, `+`; nil where a `%` is not followed by two hexadecimal digits.
    ///
    /// Not generic: a generic function is not specialised in other modules and costs several times more per byte.
    package static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < bytes.endIndex,
                    let high = Hexadecimal.value(ofDigit: bytes[index + 1]),
                    let low = Hexadecimal.value(ofDigit: bytes[index + 2])
                else { return nil }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        return decoded
    }

    /// The same for a text; nil also where the decoded bytes are not UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? {
        decode(Array(text.utf8)[...]).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
