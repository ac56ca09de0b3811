import TestSupport
import Testing

@testable import RedisClient

@Suite("The error of a command without a reply", .tags(.unit))
struct PendingCommandTests {
    @Test("depends on the cause, on whether it was sent and on its deadline")
    func errors() {
        let command = PendingCommand(due: 100, sentAt: 0) { _ in }
        let unsent = RedisError.notConnected(reason: "broken")
        let rows: [(cause: CloseCause, isSent: Bool, now: Int64, error: RedisError)] = [
            (.client, false, 99, .closed), (.client, true, 99, .closed), (.client, true, 100, .closed),
            (.deadline, false, 99, unsent), (.deadline, false, 100, unsent),
            (.deadline, true, 99, .connectionLost), (.deadline, true, 100, .timedOut),
            (.lost, false, 99, unsent), (.lost, true, 99, .connectionLost), (.lost, true, 100, .connectionLost),
        ]
        for row in rows {
            let error = command.error(of: row.cause, isSent: row.isSent, reason: "broken", now: row.now)
            #expect(error == row.error, "\(row)")
        }
    }
}
