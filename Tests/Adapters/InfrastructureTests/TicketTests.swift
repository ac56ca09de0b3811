import Application
import Cryptography
import RedisClient
import Shared
import Synchronization
import TestSupport
import Testing

@testable import Infrastructure

@Suite("Stream tickets", .tags(.unit))
struct TicketTests {
    /// A time of day that the test moves.
    private final class Clock: WallClock {
        let milliseconds = Atomic<Int64>(1_795_253_400_000)
        func now() -> Timestamp { Timestamp(milliseconds: milliseconds.load(ordering: .relaxed)) }
        func advance(seconds: Int64) { milliseconds.add(seconds * 1000, ordering: .relaxed) }
    }

    private let clock = Clock()
    private let stream = CorrelationID(bits: UUIDBits(high: 1, low: 2))

    private func service(_ secrets: String...) -> SignedTicketService {
        SignedTicketService(secrets: secrets.map { Array($0.utf8) }, lifetime: .seconds(100), clock: clock)
    }

    @Test("a ticket stands for its user, also one of hard letters", arguments: ["anonymous", "", "ä.b/c+d", "a\nb"])
    func valid(user: String) {
        let service = service("first")
        let ticket = service.issueTicket(for: stream, user: UserID(user), key: nil)
        #expect(service.verify(ticket: ticket, for: stream) == TicketHolder(user: UserID(user)))
        #expect(ticket.utf8.allSatisfy { (0x2D...0x7A).contains($0) && $0 != 0x2F }, "needs no escaping in a URL")
    }

    @Test("it is for one stream, and for a limited time")
    func limits() {
        let service = service("first")
        let ticket = service.issueTicket(for: stream, user: .anonymous, key: nil)
        #expect(service.verify(ticket: ticket, for: CorrelationID(bits: UUIDBits(high: 1, low: 3))) == nil)
        clock.advance(seconds: 99)
        #expect(service.verify(ticket: ticket, for: stream)?.user == .anonymous)
        clock.advance(seconds: 1)
        #expect(service.verify(ticket: ticket, for: stream) == nil)
    }

    @Test("a rotated secret still verifies until it is removed")
    func rotation() {
        let old = service("first").issueTicket(for: stream, user: .anonymous, key: nil)
        #expect(service("second", "first").verify(ticket: old, for: stream)?.user == .anonymous)
        #expect(service("second").verify(ticket: old, for: stream) == nil)
        let new = service("second", "first").issueTicket(for: stream, user: .anonymous, key: nil)
        #expect(service("second").verify(ticket: new, for: stream)?.user == .anonymous)
        #expect(service("first").verify(ticket: new, for: stream) == nil)
    }

    @Test("it carries the API key that submitted the request, which no other ticket's holder can take over")
    func keys() {
        let service = service("first")
        let key = APIKeyID(bits: UUIDBits(high: 3, low: 4))
        let ticket = service.issueTicket(for: stream, user: UserID("ada"), key: key)
        #expect(service.verify(ticket: ticket, for: stream) == TicketHolder(user: UserID("ada"), key: key))
        let parts = ticket.split(separator: ".")
        #expect(parts.count == 4)
        #expect(service.verify(ticket: "\(parts[0]).\(parts[1]).\(parts[3])", for: stream) == nil, "without its key")
        let plain = service.issueTicket(for: stream, user: UserID("ada"), key: nil).split(separator: ".")
        #expect(service.verify(ticket: "\(plain[0]).\(plain[1]).\(parts[2]).\(plain[2])", for: stream) == nil)
    }

    @Test("a ticket of release 1.2, which has no key, stays valid")
    func earlierRelease() {
        let claims = "\(Base64URL.encode("ada".utf8)).1795253500"
        let message = "lemma stream ticket 1\n\(stream)\n\(claims)"
        let code = HMACSHA256.authenticate(message.utf8, key: "first".utf8)
        let ticket = "\(claims).\(Base64URL.encode(code))"
        #expect(service("first").verify(ticket: ticket, for: stream) == TicketHolder(user: UserID("ada")))
    }

    @Test("no changed ticket is accepted")
    func forged() {
        let service = service("first")
        let ticket = service.issueTicket(for: stream, user: UserID("ada"), key: nil)
        let bytes = Array(ticket.utf8)
        for position in bytes.indices {
            var changed = bytes
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let text = String(decoding: changed, as: UTF8.self)
            #expect(service.verify(ticket: text, for: stream) == nil, "position \(position)")
        }
        let parts = ticket.split(separator: ".")
        let other = Base64URL.encode("eve".utf8)
        for text in [
            "", ".", "..", "...", "\(ticket).", ".\(ticket)", "\(other).\(parts[1]).\(parts[2])",
            "\(parts[0]).\(parts[1]).",
            "\(parts[0]).99999999999.\(parts[2])", "\(parts[0])..\(parts[2])", "\(ticket)=", "\(ticket) ",
        ] {
            #expect(service.verify(ticket: text, for: stream) == nil, "\(text)")
        }
    }
}

@Suite("Job entries", .tags(.unit))
struct JobEntryTests {
    private func entry(_ fields: String...) -> JobEntry {
        JobEntry(.array([.bytes(Array("7-0".utf8)), .array(fields.map { .bytes(Array($0.utf8)) })]))
    }

    private let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

    @Test("an entry of this version is a job, whatever else it says")
    func job() {
        for (fields, provider) in [
            (entry("v", "1", "id", id, "provider", "mock"), "mock"), (entry("v", "1", "id", id, "provider", ""), nil),
            (entry("id", id, "new", "field", "v", "1"), nil),
        ] {
            guard case .job(let delivery) = fields else {
                Issue.record("\(fields)")
                continue
            }
            #expect(delivery.entry == "7-0")
            #expect(delivery.correlationID.description == id)
            #expect(delivery.requestedProvider == provider)
        }
    }

    @Test("an entry of a later version is for later workers")
    func later() {
        for fields in [entry("v", "2"), entry("v", "10", "id", id)] {
            guard case .laterVersion = fields else {
                Issue.record("\(fields)")
                continue
            }
        }
    }

    @Test("everything else is malformed and keeps its name")
    func malformed() {
        for fields in [
            entry(), entry("v", "1"), entry("v", "0", "id", id), entry("v", "-1", "id", id),
            entry("v", "one", "id", id),
            entry("id", id), entry("v", "1", "id", "\(id)0"), entry("v"),
            JobEntry(.array([.bytes(Array("7-0".utf8)), .null])),
        ] {
            guard case .malformed(let name) = fields else {
                Issue.record("\(fields)")
                continue
            }
            #expect(name == "7-0")
        }
        guard case .malformed("0-0") = JobEntry(.null) else {
            Issue.record("an entry without a name")
            return
        }
    }
}
