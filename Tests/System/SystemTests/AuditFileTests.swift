import Glibc
import TestSupport
import Testing

@Suite("The audit log as a file", .tags(.system), .serialized, .timeLimit(.minutes(1)))
struct AuditFileTests {
    @Test("SIGHUP continues in a new file where the one before was moved away")
    func rotated() async throws {
        let folder = try TemporaryDirectory()
        let path = "\(folder.path)/audit.log"
        try await Deployment.running(Deployment.Plan(environment: ["AUDIT_LOG": path])) { deployment in
            let first = try deployment.api.submit("a b").correlationId
            let isRecorded = try await eventually { textOfFile(path).contains(first) }
            #expect(isRecorded)
            try ChildProcess.run(["mv", path, "\(path).1"])
            deployment.apis[0].process.signal(SIGHUP)
            let isOpened = try await eventually { unsafe access(path, R_OK) == 0 }
            #expect(isOpened)
            let second = try deployment.api.submit("a b").correlationId
            let continues = try await eventually { textOfFile(path).contains(second) }
            #expect(continues && !textOfFile("\(path).1").contains(second))
        }
    }
}
