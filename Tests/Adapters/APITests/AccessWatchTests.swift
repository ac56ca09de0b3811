import AccountSupport
import Application
import Domain
import EventLoop
import Shared
import TestSupport
import Testing

@testable import API

@Suite("The watch of withdrawn access", .tags(.unit))
struct AccessWatchTests {
    @Test("what is withdrawn is known after a reading, stays known while the store is away, and can be restored")
    func refresh() async throws {
        try await onLoop { loop in
            let (accounts, withdrawn) = (InMemoryAccounts(), WithdrawnAccess())
            let watch = AccessWatch(changes: accounts, withdrawn: withdrawn, loop: loop)
            let account = Account(
                id: AccountID(bits: UUIDBits(high: 1, low: 1)),
                email: nil,
                displayName: nil,
                roles: [.student],
                origin: .issuer("https://issuer.example", subject: "1"),
                isDisabled: true,
                createdAt: Timestamp(milliseconds: 0),
            )
            accounts.put(account)
            #expect(!withdrawn.contains(account.id))
            await watch.refresh()
            #expect(withdrawn.contains(account.id))
            accounts.isAway = true
            await watch.refresh()
            #expect(withdrawn.contains(account.id))
            accounts.isAway = false
            _ = try await accounts.change(account.id, AccountChange(isDisabled: false))
            watch.start()
            defer { watch.close() }
            try await eventually("the restoration", on: loop) { !withdrawn.contains(account.id) }
        }
    }
}
