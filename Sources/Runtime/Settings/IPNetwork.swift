internal import Text

/// A block of IP addresses in CIDR notation (RFC 4632, RFC 4291).
package struct IPNetwork: Sendable, Hashable {
    /// 4 or 16 bytes in network order; bits after the prefix are zero.
    package let address: [UInt8]
    /// Leading bits that an address must share: 0…32 or 0…128.
    package let prefixLength: Int

    /// Parses `10.0.0.0/8`, `fd00::/8` or a single address, which is a block of one; nil for anything else, also for an
    /// address with bits after the prefix (`10.1.0.0/8`), which is probably a mistake.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let address = IPAddress.parse(String(first)) else {
            return nil
        }
        var length = address.count * 8
        if parts.count == 2 {
            guard let given = Int(parts[1]), String(given) == parts[1], (0...length).contains(given) else { return nil }
            length = given
        }
        guard Self.masked(address, to: length) == address else { return nil }
        self.address = address
        prefixLength = length
    }

    /// True if the block contains the address `text`.
    ///
    /// An IPv4-mapped IPv6 address counts as IPv4; a text that is no address is in no block.
    package func contains(_ text: String) -> Bool {
        // An IPv4-mapped block is compared as it is written.
        let parsed = address.count == 4 ? IPAddress(text)?.bytes : IPAddress.parse(text)
        guard let bytes = parsed else { return false }
        return bytes.count == address.count && Self.masked(bytes, to: prefixLength) == address
    }

    private static func masked(_ bytes: [UInt8], to length: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(max(length - index * 8, 0), 8)
            return byte & UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
    }
}

extension SettingFormat<IPNetwork> {
    /// A network in CIDR notation, or one address.
    package static var network: Self {
        Self("a network such as `10.0.0.0/8` or `fd00::/8`, or an address") { IPNetwork($0) }
    }
}
