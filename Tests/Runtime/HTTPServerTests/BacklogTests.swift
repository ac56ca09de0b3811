import TestSupport
import Testing

@testable import HTTPServer

@Suite("HTTP connection: the backlog", .tags(.unit))
struct BacklogTests {
    @Test(
        "Bytes leave in order, and the storage stays below twice the most that waited, also when the backlog is never empty"
    )
    func bounded() {
        var random = SeededRandom(seed: 7)
        var backlog = Backlog()
        var (sent, taken) = (0, 0)
        var waitedMax = 0
        for _ in 0..<20_000 {
            let piece = (0..<Int.random(in: 1...2000, using: &random)).map { UInt8(truncatingIfNeeded: sent + $0) }
            sent += piece.count
            backlog.append(piece.span)
            waitedMax = max(waitedMax, backlog.count)
            // Usually some bytes are left.
            let count = max(0, backlog.count - Int.random(in: -100...4000, using: &random))
            let isInOrder = backlog.withSpan { bytes in
                bytes.count == sent - taken && bytes[0] == UInt8(truncatingIfNeeded: taken)
            }
            #expect(isInOrder)
            backlog.removeFirst(min(count, backlog.count))
            taken += min(count, sent - taken)
            #expect(backlog.storedBytes <= 2 * waitedMax)
        }
    }
}
