import TestSupport
import Testing
import Text

@Suite("IP addresses", .tags(.unit))
struct IPAddressTests {
    @Test("an IPv4-mapped IPv6 address is the IPv4 one, other texts are none")
    func forms() {
        #expect(IPAddress("192.0.2.1")?.bytes == [192, 0, 2, 1])
        #expect(IPAddress("::ffff:192.0.2.1") == IPAddress("192.0.2.1"))
        #expect(IPAddress("2001:db8::1")?.bytes.count == 16)
        for text in ["", "host", "1.2.3", "1.2.3.4/8", "1.2.3.4 ", "fe80::1%eth0"] { #expect(IPAddress(text) == nil) }
    }

    @Test("a client is an IPv4 address, or the first 64 bits of an IPv6 address")
    func clients() throws {
        let home = try #require(ClientNetwork("2001:db8:1:2::1"))
        #expect(ClientNetwork("2001:db8:1:2:ffff:ffff:ffff:ffff") == home)
        #expect(ClientNetwork("2001:db8:1:3::1") != home)
        #expect(ClientNetwork("192.0.2.1") != ClientNetwork("192.0.2.2"))
        #expect(ClientNetwork("::ffff:192.0.2.1") == ClientNetwork("192.0.2.1"))
        #expect(ClientNetwork("fe80::1%eth0") == ClientNetwork("fe80::2"))
        #expect(ClientNetwork("unknown") == nil && ClientNetwork("") == nil)
        // 0.0.0.1 and ::1 have the same bytes at their ends.
        #expect(ClientNetwork("0.0.0.0")?.description != ClientNetwork("::1")?.description)
    }
}
