extension UInt8 {
    static let carriageReturn: UInt8 = 0x0d
    static let lineFeed: UInt8 = 0x0a
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon: UInt8 = 0x3a

    /// Printable ASCII without the space.
    var isVisible: Bool { self > 0x20 && self < 0x7f }

    /// What a field value is made of (RFC 9110, section 5.5): no controls but the tab.
    var isFieldContent: Bool { self >= 0x20 && self != 0x7f || self == .tab }

    /// What a host and port are made of (RFC 3986, section 3.2.2), with the brackets of IPv6 and percent-encoding.
    var isHostAndPort: Bool { contains(in: (0x2fff_7ff2_0000_0000, 0x47ff_fffe_afff_fffe)) }

    /// Membership in a set of ASCII characters: a bit each, the lower 64 first.
    private func contains(in set: (low: UInt64, high: UInt64)) -> Bool {
        guard self < 128 else { return false }
        return (self < 64 ? set.low : set.high) >> UInt64(self & 63) & 1 == 1
    }

    var lowercasedASCII: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension [UInt8] {
    mutating func append(_ text: StaticString) {
        // Safety: the bytes are constants of the program.
        unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) { append(contentsOf: text.utf8) }

    mutating func append(decimal number: Int) {
        if number >= 10 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}
