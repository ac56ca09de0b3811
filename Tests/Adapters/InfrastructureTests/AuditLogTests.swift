import Application
import Domain
import FoundationEssentials
import POSIX
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The audit log", .tags(.integration))
struct AuditLogTests {
    private func entry(_ action: AuditEntry.Action, subject: String? = nil) -> AuditEntry {
        AuditEntry(action, .success, actor: UserID("ada"), subject: subject)
    }

    @Test("a record is a JSON line of its own kind with what is known, and nothing else")
    func line() throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/audit"
        let log = JSONAuditLog(try LogFile(path: path), service: "lemma-api", version: "1")
        var entry = entry(.keyCreate, subject: "k-1")
        entry.key = APIKeyID(bits: UUIDBits(high: 1, low: 2))
        entry.address = "192.0.2.1"
        entry.requestID = "r-1"
        entry.reason = "because"
        log.record(entry)
        log.record(AuditEntry(.refreshReuse, .denied))
        let lines = textOfFile(path).split(separator: "\n")
        let fields = [
            #""level":"info","message":"audit","service":"lemma-api","version":"1","log":"audit""#,
            #""action":"key_create","outcome":"success","actor":"ada","subject":"k-1""#,
            #""api_key":"00000000-0000-0001-0000-000000000002","client_address":"192.0.2.1","request_id":"r-1""#,
            #""reason":"because"}"#,
        ]
        #expect(lines[0].hasPrefix(#"{"time":""#) && lines[0].hasSuffix(fields.joined(separator: ",")))
        #expect(lines[1].hasSuffix(#""log":"audit","action":"refresh_reuse","outcome":"denied"}"#))
        #expect(lines.count == 2 && log.lostRecords == 0)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? UInt16 == 0o600 || attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test("after a rotation the records go to the new file, and none is lost")
    func reopen() throws {
        let folder = try TemporaryDirectory()
        let (path, old) = ("\(folder.path)/audit", "\(folder.path)/audit.1")
        let log = JSONAuditLog(try LogFile(path: path), service: "s", version: "1")
        log.record(entry(.login, subject: "first"))
        try FileManager.default.moveItem(atPath: path, toPath: old)
        log.record(entry(.login, subject: "second"))
        try log.reopen()
        log.record(entry(.login, subject: "third"))
        #expect(textOfFile(old).contains("first") && textOfFile(old).contains("second"))
        #expect(textOfFile(path).contains("third") && !textOfFile(path).contains("second"))
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: SystemError.self) { try log.reopen() }
        log.record(entry(.login))
        #expect(log.lostRecords == 0, "the file from before is still there")
        let full = JSONAuditLog(try LogFile(path: "/dev/full"), service: "s", version: "1")
        full.record(entry(.login))
        #expect(full.lostRecords == 1)
    }

    @Test("every action has a word of its own")
    func actions() {
        let words = AuditEntry.Action.allCases.map(\.rawValue)
        #expect(Set(words).count == words.count)
        #expect(words.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "_" } })
    }
}
