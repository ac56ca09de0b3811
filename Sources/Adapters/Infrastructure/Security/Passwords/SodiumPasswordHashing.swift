package import Application
internal import Cryptography
package import Domain
package import EventLoop
internal import PasswordHashes

/// Hashes passwords with argon2id, on the threads of a pool.
///
/// Where the system has no memory for a digest, the pool counts as busy.
package struct SodiumPasswordHashing: PasswordHashing {
    private let engine: any PasswordEngine
    private let pool: BlockingPool
    /// A digest of no password, which costs what a new one costs.
    private let dummy: PasswordHash

    package init(pool: BlockingPool) { self.init(pool: pool, engine: Argon2idEngine()) }

    init(pool: BlockingPool, engine: any PasswordEngine) {
        self.pool = pool
        self.engine = engine
        dummy = PasswordHash(engine.digestOfNoPassword())
    }

    package func hash(_ password: Password) async throws(PasswordHashingFailure) -> PasswordHash {
        let text = try await run { [engine] in engine.hash(password.reveal()) }
        guard let text else { throw .busy }
        return PasswordHash(text)
    }

    package func verify(
        _ password: String,
        against hash: PasswordHash?
    ) async throws(PasswordHashingFailure) -> PasswordVerification {
        let text = (hash ?? dummy).text
        let matches = try await run { [engine] in engine.verify(password, against: text) }
        return matches && hash != nil ? .matches(needsRehash: engine.needsRehash(text)) : .differs
    }

    private func run<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result
    ) async throws(PasswordHashingFailure) -> Result {
        do throws(BlockingPool.Failure) {
            return try await pool.run(work)
        } catch {
            switch error {
            case .busy: throw .busy
            }
        }
    }
}

/// Computes digests of passwords; tests count the calls.
protocol PasswordEngine: Sendable {
    /// Nil where the system has no memory for it.
    func hash(_ password: String) -> String?
    func verify(_ password: String, against digest: String) -> Bool
    func needsRehash(_ digest: String) -> Bool
    /// A text that takes as long to verify as a new digest, and that no password matches.
    func digestOfNoPassword() -> String
}

struct Argon2idEngine: PasswordEngine {
    private static let cost = Argon2id.Cost.recommended

    func hash(_ password: String) -> String? { Argon2id.hash(password, cost: Self.cost) }

    func verify(_ password: String, against digest: String) -> Bool { Argon2id.verify(password, against: digest) }

    func needsRehash(_ digest: String) -> Bool { Argon2id.needsRehash(digest, cost: Self.cost) }

    func digestOfNoPassword() -> String {
        Argon2id.text(
            salt: SecureRandom.bytes(Argon2id.saltBytes),
            digest: SecureRandom.bytes(Argon2id.digestBytes),
            cost: Self.cost,
        )
    }
}
