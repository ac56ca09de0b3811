import AccountSupport
import Application
import ArchiveSupport
import Domain
import Persistence
import Shared
import TestSupport
import Testing

/// The fake of the use cases' tests is compared with PostgreSQL: the same calls in a random order have the same results.
@Suite("Accounts in memory and in PostgreSQL", .tags(.conformance), .timeLimit(.minutes(2)))
struct AccountFakeTests {
    /// One implementation of the ports.
    private struct Medium {
        let accounts: any AccountRepository
        let sessions: any SessionRepository
        let keys: any APIKeyRepository
        let beginErasure: (AccountID) async throws -> Bool
    }

    /// The calls of one run: ids, tokens and times come from few values, so that calls meet.
    private struct Script {
        private static let addresses = ["ada@example.org", "ADA@Example.org", "bob@example.org", "eve@test.example"]

        var random: SeededRandom
        /// Milliseconds since the start.
        var time: Int64 = 0

        mutating func number(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &random) }

        mutating func account() -> AccountID { Sample.id(number(1...4)) }
        mutating func session() -> SessionID { Sample.id(number(1...3)) }
        mutating func key() -> APIKeyID { Sample.id(number(1...5)) }
        mutating func token() -> Fingerprint { Sample.digest(UInt8(number(1...12))) }
        mutating func hash() -> PasswordHash { PasswordHash("hash \(number(1...3))") }
        mutating func address() throws -> EmailAddress {
            try EmailAddress(Self.addresses[Int(number(0...3))])
        }

        /// Describes the result of the next call on `media`, one text for each.
        mutating func step(_ media: [Medium]) async throws -> (call: String, results: [String]) {
            time += Int64(number(0...6000))
            let now = Samples.time(time)
            let kind = number(0...15)
            let (account, session, key, token) = (account(), session(), key(), token())
            let (hash, next, address, other) = (hash(), self.token(), try address(), self.account())
            var results: [String] = []
            for medium in media {
                let result: String
                do {
                    result = try await Self.run(
                        kind,
                        medium,
                        Operands(account, session, key, token, hash, next, address, other, now)
                    )
                } catch {
                    result = "\(error)"
                }
                results.append(result)
            }
            return ("\(kind) \(account) \(session) \(key) \(token) \(next) \(address) at \(time)", results)
        }

        private struct Operands {
            let account: AccountID
            let session: SessionID
            let key: APIKeyID
            let token: Fingerprint
            let hash: PasswordHash
            let next: Fingerprint
            let address: EmailAddress
            let other: AccountID
            let now: Timestamp

            init(
                _ account: AccountID,
                _ session: SessionID,
                _ key: APIKeyID,
                _ token: Fingerprint,
                _ hash: PasswordHash,
                _ next: Fingerprint,
                _ address: EmailAddress,
                _ other: AccountID,
                _ now: Timestamp
            ) {
                (self.account, self.session, self.key) = (account, session, key)
                (self.token, self.hash, self.next) = (token, hash, next)
                (self.address, self.other, self.now) = (address, other, now)
            }
        }

        private static func run(_ kind: UInt64, _ medium: Medium, _ given: Operands) async throws -> String {
            let (accounts, sessions, keys) = (medium.accounts, medium.sessions, medium.keys)
            switch kind {
            case 0, 1:
                guard try await accounts.find(given.account) == nil else { return "exists" }
                let account = Account(
                    id: given.account,
                    email: given.address,
                    displayName: nil,
                    roles: [.student],
                    origin: .password,
                    isDisabled: false,
                    createdAt: given.now,
                )
                try await accounts.add(account, given.hash)
                return "added"
            case 2: return "\(try await accounts.find(given.account) as Account?)"
            case 3: return describe(try await accounts.passwordAccount(given.address))
            case 4: return describe(try await accounts.passwordAccount(given.account))
            case 5:
                let part = String(given.address.canonical.prefix(4))
                let found = try await accounts.list(email: part, after: given.other, limit: 2)
                return "\(found.map(\.id)) \(try await accounts.list(email: nil, after: nil, limit: 10).map(\.id))"
            case 6:
                let change = AccountChange(
                    displayName: try DisplayName("name \(given.hash.text)"),
                    roles: [.student, .admin],
                    isDisabled: given.hash.text.hasSuffix("3"),
                )
                return "\(try await accounts.change(given.account, change) as Account?)"
            case 7:
                let former = given.hash.text.hasSuffix("1") ? nil : given.hash
                let fresh = PasswordHash("hash \(given.next.bytes[31] % 3 + 1)")
                return "\(try await accounts.replacePasswordHash(of: given.account, former, by: fresh))"
            case 8:
                try await sessions.begin(
                    given.session,
                    of: given.account,
                    token: given.token,
                    at: given.now,
                    expiresAt: given.now.advanced(by: .seconds(40)),
                )
                return "begun"
            case 9, 10, 11:
                let result = try await sessions.rotate(
                    given.session,
                    presented: given.token,
                    next: given.next,
                    at: given.now,
                    repeatTime: .seconds(10),
                )
                return "\(result)"
            case 12: return "\(try await sessions.revoke(given.session, presented: given.token) as AccountID?)"
            case 13:
                try await sessions.revokeAll(of: given.account, but: given.session)
                return "revoked"
            case 14: return try await runKey(keys, accounts, given)
            case _:
                guard given.hash.text.hasSuffix("2"), given.token.bytes[31] < 3 else { return "nothing" }
                return "\(try await medium.beginErasure(given.account))"
            }
        }

        private static func runKey(
            _ keys: any APIKeyRepository,
            _ accounts: any AccountRepository,
            _ given: Operands
        ) async throws -> String {
            switch given.next.bytes[31] % 5 {
            case 0, 1:
                let secret = Fingerprint(given.key.bits.bytes + given.key.bits.bytes)
                guard try await accounts.find(given.account) != nil, try await keys.find(secret: secret) == nil else {
                    return "not added"
                }
                let number = given.key.bits.low & 0xFF
                guard try await keys.list(of: given.account).allSatisfy({ $0.id != given.key }) else { return "exists" }
                // A revoked key keeps its id.
                let id: APIKeyID = Sample.id(UInt64(given.now.milliseconds & 0xFFFF) << 8 | number)
                let owned = Sample.key(number, of: given.account, expiresAt: given.now.advanced(by: .seconds(9)))
                let key = APIKey(
                    id: id,
                    owner: owned.owner,
                    name: owned.name,
                    scopes: owned.scopes,
                    limits: KeyLimits(requestsPerMinute: 3, tokensPerDay: 4),
                    actsForEndUsers: owned.actsForEndUsers,
                    createdAt: owned.createdAt,
                    expiresAt: owned.expiresAt,
                )
                try await keys.add(key, secret: Fingerprint(id.bits.bytes + id.bits.bytes))
                return "added"
            case 2:
                let listed = try await keys.list(of: given.account)
                if let first = listed.first { try await keys.noteUse([first.id: given.now]) }
                return "\(try await keys.list(of: given.account))"
            case 3:
                guard let first = try await keys.list(of: given.account).first else { return "none" }
                let revoked = try await keys.revoke(first.id, of: given.other, at: given.now)
                let secret = Fingerprint(first.id.bits.bytes + first.id.bits.bytes)
                return "\(revoked as APIKey?) \(try await keys.find(secret: secret) as OwnedKey?)"
            case _: return "\(try await keys.list(of: given.account))"
            }
        }

        private static func describe(_ found: PasswordAccount?) -> String {
            "\(found?.account as Account?) \(found?.hash.text ?? "-")"
        }
    }

    /// A result with the elements of its sets in order: a set's own order is random.
    private static func ordered(_ text: String) -> String {
        text.replacing(/Set\(\[([^\]]*)\]\)/) { match in
            match.1.split(separator: ", ").sorted().joined(separator: ", ")
        }
    }

    @Test("have the same results for the same calls", arguments: [1, 2, 3] as [UInt64])
    func compare(seed: UInt64) async throws {
        try await withAccounts { ports, _ in
            let fake = InMemoryAccounts()
            let erasure = ports.erasure
            let media = [
                Medium(accounts: fake, sessions: fake, keys: fake) { try await fake.begin($0, at: Samples.time(0)) },
                Medium(accounts: ports.accounts, sessions: ports.sessions, keys: ports.keys) {
                    try await erasure.begin($0, at: Samples.time(0))
                },
            ]
            var script = Script(random: SeededRandom(seed: seed))
            for number in 0..<1000 {
                let (call, unordered) = try await script.step(media)
                let results = unordered.map(Self.ordered)
                #expect(results[0] == results[1], "seed \(seed), step \(number): \(call)")
                guard results[0] == results[1] else { return }
            }
        }
    }
}
