import Settings
import TestSupport
import Testing

@testable import API

@Suite("The client's address", .tags(.unit))
struct ClientAddressTests {
    private let clients = ClientAddress(trustedProxies: ["10.0.0.0/8", "fd00::/8"].compactMap { IPNetwork($0) })

    @Test(
        "is the last one on the way that is no trusted proxy's",
        arguments: [
            ("203.0.113.9", nil, "203.0.113.9"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.1.2.3", nil, "10.1.2.3"),
            ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("10.1.2.3", "1.1.1.1, 198.51.100.1 ,10.9.9.9", "198.51.100.1"),
            ("10.1.2.3", "1.1.1.1, fd00::1", "1.1.1.1"),
            ("10.1.2.3", "10.0.0.1,10.0.0.2", "10.0.0.1"),
            ("10.1.2.3", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.1.2.3", "198.51.100.0/24", "10.1.2.3"),
            ("10.1.2.3", "", "10.1.2.3"),
            ("", "198.51.100.1", ""),
        ] as [(String, String?, String)],
    )
    func address(peer: String, header: String?, expected: String) {
        #expect(clients.address(from: peer, forwardedFor: header) == expected)
    }
}
