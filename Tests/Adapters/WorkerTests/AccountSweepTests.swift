import Application
import ArchiveSupport
import Domain
import EventLoop
import Shared
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Worker

/// Erasures that have begun.
private final class ErasureFake: AccountErasure {
    var waiting: [AccountID] = []
    /// Tries of an account before one succeeds.
    var failures: [AccountID: Int] = [:]
    private(set) var tried: [AccountID] = []
    private(set) var erased: [AccountID] = []

    func begin(_ account: AccountID, at time: Timestamp) async throws(RepositoryFailure) -> Bool { true }
    func pending() async throws(RepositoryFailure) -> [AccountID] { waiting }

    func resume(_ account: AccountID) async throws(RepositoryFailure) {
        tried.append(account)
        let left = failures[account] ?? 0
        failures[account] = left - 1
        if left > 0 { throw .unavailable }
        waiting.removeAll { $0 == account }
        erased.append(account)
    }
}

/// Notes what is to be deleted.
private final class HistoryFake: SessionRepository, WithdrawalHistory {
    let sessionsBefore = Mutex<[Timestamp]>([])
    let withdrawalsBefore = Mutex<[Timestamp]>([])

    func begin(
        _ id: SessionID,
        of account: AccountID,
        token: Fingerprint,
        at time: Timestamp,
        expiresAt: Timestamp
    ) async throws(RepositoryFailure) {}

    func rotate(
        _ id: SessionID,
        presented: Fingerprint,
        next: Fingerprint,
        at time: Timestamp,
        repeatTime: Duration
    ) async throws(RepositoryFailure) -> RotationResult { .invalid }

    func revoke(_ id: SessionID, presented: Fingerprint) async throws(RepositoryFailure) -> AccountID? { nil }
    func revokeAll(of account: AccountID, but exception: SessionID?) async throws(RepositoryFailure) {}

    func deleteEnded(before time: Timestamp, limit: Int) async throws(RepositoryFailure) {
        sessionsBefore.withLock { $0.append(time) }
        throw .unavailable
    }

    func deleteWithdrawn(before time: Timestamp) async throws(RepositoryFailure) {
        withdrawalsBefore.withLock { $0.append(time) }
    }
}

@Suite("The sweep of accounts", .tags(.unit))
struct AccountSweepTests {
    private func withSweep(
        _ body: @escaping @Sendable (AccountSweep, ErasureFake, HistoryFake, Loop) async throws -> Void
    ) async throws {
        try await onLoop { loop in
            let (erasure, history) = (ErasureFake(), HistoryFake())
            let output = LogOutput(descriptor: -1, service: "test", version: "0", level: .error, format: .json)
            let sweep = AccountSweep(
                loop: loop,
                erasure: erasure,
                sessions: history,
                withdrawals: history,
                clock: SampleClock(),
                logger: Logger(output: output),
            )
            defer { sweep.close() }
            try await body(sweep, erasure, history, loop)
        }
    }

    @Test("every erasure that waits is resumed; one that fails does not stop the others and is tried again")
    func resumed() async throws {
        try await withSweep { sweep, erasure, _, _ in
            let accounts: [AccountID] = (1...3).map { AccountID(bits: UUIDBits(high: 0x7000, low: $0)) }
            erasure.waiting = accounts
            erasure.failures = [accounts[1]: 1]
            await sweep.resume()
            #expect(erasure.tried == accounts && erasure.erased == [accounts[0], accounts[2]])
            await sweep.resume()
            #expect(erasure.erased == [accounts[0], accounts[2], accounts[1]])
            await sweep.resume()
            #expect(erasure.tried.count == 4)
        }
    }

    @Test("it starts at once, with sessions and withdrawals as well, and a failure of one does not stop the other")
    func started() async throws {
        try await withSweep { sweep, erasure, history, loop in
            erasure.waiting = [AccountID(bits: UUIDBits(high: 0x7000, low: 1))]
            sweep.start()
            try await eventually("all of it", on: loop) {
                erasure.erased.count == 1 && history.withdrawalsBefore.withLock { $0.count } == 1
            }
            let day: Int64 = 86_400_000
            let now = Samples.time(0).milliseconds
            #expect(history.sessionsBefore.withLock { $0 } == [Timestamp(milliseconds: now - day)])
            #expect(history.withdrawalsBefore.withLock { $0 } == [Timestamp(milliseconds: now - 40 * day)])
        }
    }
}
