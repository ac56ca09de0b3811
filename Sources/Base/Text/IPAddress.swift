internal import Glibc

/// An IPv4 or IPv6 address; an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) is the IPv4 one.
package struct IPAddress: Sendable, Hashable {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]

    /// Parses the numeric form; nil for anything else.
    package init?(_ text: String) {
        guard let bytes = Self.parse(text) else { return nil }
        self.bytes = bytes.starts(with: Self.mappedPrefix) && bytes.count == 16 ? Array(bytes[12...]) : bytes
    }

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// The bytes as the text has them, an IPv4-mapped address as 16; nil for a text that is no address.
    package static func parse(_ text: String) -> [UInt8]? {
        // Safety: both calls write exactly the 4 or 16 bytes of their array, and read the text up to its end.
        var four = [UInt8](repeating: 0, count: 4)
        if unsafe inet_pton(AF_INET, text, &four) == 1 { return four }
        var sixteen = [UInt8](repeating: 0, count: 16)
        return unsafe inet_pton(AF_INET6, text, &sixteen) == 1 ? sixteen : nil
    }
}

/// The block of addresses that counts as one client: an IPv4 address, or the 64 leading bits of an IPv6 address, which is
/// the least that one host gets (RFC 6177).
package struct ClientNetwork: Sendable, Hashable, CustomStringConvertible {
    private let isIPv6: Bool
    private let prefix: UInt64

    /// Nil for a text that is no numeric address; the zone of a link-local one (`fe80::1%eth0`) is ignored.
    package init?(_ address: String) {
        guard let bytes = IPAddress(String(address.prefix { $0 != "%" }))?.bytes else { return nil }
        isIPv6 = bytes.count == 16
        prefix = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A name that no other block has, without a fixed form.
    package var description: String { "\(isIPv6 ? "6" : "4"):\(String(prefix, radix: 16))" }
}
