import Shared
import TestSupport
import Testing

@Suite("Identifiers", .tags(.unit))
struct IdentifierTests {
    @Test("version and variant are those of RFC 9562, whatever the random bits are")
    func form() {
        for random in [(0, 0), (.max, .max), (0x1234_5678_9ABC_DEF0, 0xFEDC_BA98_7654_3210)] as [(UInt64, UInt64)] {
            let bits = UUIDBits(version7At: Timestamp(milliseconds: 0x0192_ABCD_EF01), random: random)
            let text = Array(bits.description)
            #expect(text.count == 36)
            #expect(String(text[0..<13]) == "0192abcd-ef01")
            #expect(text[14] == "7")
            #expect("89ab".contains(text[19]))
            #expect([8, 13, 18, 23].allSatisfy { text[$0] == "-" })
        }
    }

    @Test("the example of RFC 9562 comes out")
    func example() {
        let bits = UUIDBits(
            version7At: Timestamp(milliseconds: 1_645_557_742_000),
            random: (0xCC3, 0x18C4_DC0C_0C07_398F),
        )
        #expect(bits.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    }

    @Test("identifiers sort by the time they were made")
    func order() {
        var random = SeededRandom(seed: 7)
        var last = ""
        for milliseconds in stride(from: Int64(1_700_000_000_000), to: 1_700_000_100_000, by: 997) {
            let bits = UUIDBits(
                version7At: Timestamp(milliseconds: milliseconds),
                random: (random.next(), random.next()),
            )
            #expect(bits.description > last)
            last = bits.description
        }
    }

    @Test("a time before 1970 counts as 1970")
    func beforeTheEpoch() {
        let bits = UUIDBits(version7At: Timestamp(milliseconds: -1), random: (0, 0))
        #expect(bits.description == "00000000-0000-7000-8000-000000000000")
    }

    @Test("any 128 bits are read back from their text")
    func roundTrip() {
        var random = SeededRandom(seed: 99)
        for _ in 0..<1000 {
            let id = CorrelationID(bits: UUIDBits(high: random.next(), low: random.next()))
            #expect(CorrelationID(id.description) == id)
            let bytes = Array(id.description.utf8)
            #expect(CorrelationID(ascii: bytes.span) == id)
        }
    }

    @Test("upper case is read, as Swift and .NET print it, and written in lower case")
    func upperCase() {
        let id = CorrelationID("017F22E2-79B0-7cC3-98C4-DC0C0C07398F")
        #expect(id?.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    }

    @Test(
        "only the 36 characters are an id",
        arguments: [
            "", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
            "017G22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e279b07cc398c4dc0c0c07398f",
            "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}", "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
            "017f22e27-9b0-7cc3-98c4-dc0c0c07398f", " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c0739é",
        ],
    )
    func refused(text: String) {
        #expect(CorrelationID(text) == nil)
        #expect(ConversationID(text) == nil)
    }
}
