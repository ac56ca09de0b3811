extension UInt8 {
    /// True for an ASCII letter.
    @inlinable package var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }

    /// True for an ASCII digit.
    @inlinable package var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// True for a byte of a token, of which HTTP methods and field names consist (RFC 9110, section 5.6.2): letters, digits
    /// and ``!#$%&'*+-.^_`|~``.
    ///
    /// The masks have a bit for each ASCII character, the first 64 in the first.
    @inlinable package var isToken: Bool {
        guard self < 128 else { return false }
        let mask: UInt64 = self < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
        return mask >> UInt64(self & 63) & 1 == 1
    }
}

extension StringProtocol {
    /// True for a token (RFC 9110, section 5.6.2), which has one byte at least.
    package var isToken: Bool { !isEmpty && utf8.allSatisfy(\.isToken) }
}
