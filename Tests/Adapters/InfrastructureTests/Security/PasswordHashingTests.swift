import Application
import Domain
import EventLoop
import PasswordHashes
import Synchronization
import TestSupport
import Testing

@testable import Infrastructure

/// Records which digests are verified, at what cost.
private final class RecordingEngine: PasswordEngine {
    private let digests = Mutex<[String]>([])
    private let engine = Argon2idEngine()

    var verified: [String] { digests.withLock { $0 } }

    func hash(_ password: String) -> String? { engine.hash(password) }

    func verify(_ password: String, against digest: String) -> Bool {
        digests.withLock { $0.append(digest) }
        return engine.verify(password, against: digest)
    }

    func needsRehash(_ digest: String) -> Bool { engine.needsRehash(digest) }

    func digestOfNoPassword() -> String { engine.digestOfNoPassword() }
}

@Suite("Hashing of passwords", .tags(.unit))
struct PasswordHashingTests {
    private static func pool(waitingMax: Int = 8) -> BlockingPool {
        BlockingPool(threadsMax: 1, waitingMax: waitingMax)
    }

    @Test("a password matches its own digest alone")
    func matches() async throws {
        try await onLoop { _ in
            let hashing = SodiumPasswordHashing(pool: Self.pool())
            let hash = try await hashing.hash(try Password("correct horse"))
            #expect("\(hash)" == "***")
            let right = try await hashing.verify("correct horse", against: hash)
            let wrong = try await hashing.verify("correct horsf", against: hash)
            #expect(right == .matches(needsRehash: false) && wrong == .differs)
        }
    }

    @Test("a digest of a lower cost matches and has to be made anew")
    func rehash() async throws {
        try await onLoop { _ in
            let hashing = SodiumPasswordHashing(pool: Self.pool())
            let cost = Argon2id.Cost(passes: 1, memoryKiB: 64)
            let old = PasswordHash(try #require(Argon2id.hash("correct horse", cost: cost)))
            let result = try await hashing.verify("correct horse", against: old)
            #expect(result == .matches(needsRehash: true))
        }
    }

    @Test("without an account the same work is done: one verification, at the cost of a new digest")
    func noAccount() async throws {
        try await onLoop { _ in
            let engine = RecordingEngine()
            let hashing = SodiumPasswordHashing(pool: Self.pool(), engine: engine)
            let hash = try await hashing.hash(try Password("correct horse"))
            _ = try await hashing.verify("wrong password", against: hash)
            let result = try await hashing.verify("wrong password", against: nil)
            #expect(result == .differs)
            let (real, dummy) = (engine.verified[0], engine.verified[1])
            #expect(engine.verified.count == 2 && real == hash.text)
            func parameters(_ text: String) -> [Substring] { text.split(separator: "$").prefix(3).map(\.self) }
            #expect(parameters(dummy) == parameters(real))
            #expect(dummy.utf8.count == real.utf8.count && !engine.needsRehash(dummy))
        }
    }

    @Test("above the bound of waiting passwords the caller is told at once")
    func busy() async throws {
        try await onLoop { loop in
            let hashing = SodiumPasswordHashing(pool: Self.pool(waitingMax: 0))
            let password = try Password("correct horse")
            var failures = 0
            let tasks = (0..<3).map { _ in
                loop.spawn {
                    do throws(PasswordHashingFailure) {
                        _ = try await hashing.hash(password)
                    } catch {
                        failures += 1
                    }
                }
            }
            for task in tasks { await task.value }
            #expect(failures == 2)
        }
    }
}
