package import Application
package import Domain
package import Shared
internal import Synchronization

/// Digests that anyone can read: `<version>:<password>`.
package final class HashingFake: PasswordHashing {
    private struct State {
        var isBusy = false
        var compared: [PasswordHash?] = []
    }

    private let state = Mutex(State())

    package init() {}

    package var isBusy: Bool {
        get { state.withLock { $0.isBusy } }
        set { state.withLock { $0.isBusy = newValue } }
    }

    /// What passwords were compared with so far.
    package var compared: [PasswordHash?] { state.withLock { $0.compared } }

    package static func digest(_ password: String, version: String = "2") -> PasswordHash {
        PasswordHash("\(version):\(password)")
    }

    package func hash(_ password: Password) async throws(PasswordHashingFailure) -> PasswordHash {
        if isBusy { throw .busy }
        return Self.digest(password.reveal())
    }

    package func verify(
        _ password: String,
        against hash: PasswordHash?
    ) async throws(PasswordHashingFailure) -> PasswordVerification {
        if isBusy { throw .busy }
        state.withLock { $0.compared.append(hash) }
        guard let hash, hash.text.drop(while: { $0 != ":" }).dropFirst() == password else { return .differs }
        return .matches(needsRehash: !hash.text.hasPrefix("2:"))
    }
}

/// Counts attempts, and refuses those above a limit.
package final class AttemptsFake: CredentialAttempts, Sendable {
    private struct State {
        var attempts: [(EmailAddress, String)] = []
        var failure: CredentialAttemptFailure?
    }

    private let state = Mutex(State())

    package init() {}

    package var attempts: [String] { state.withLock { $0.attempts.map { "\($0.0.canonical) \($0.1)" } } }

    package func fail(_ failure: CredentialAttemptFailure?) { state.withLock { $0.failure = failure } }

    package func admit(_ email: EmailAddress, from address: String) async throws(CredentialAttemptFailure) {
        let failure = state.withLock { state in
            state.attempts.append((email, address))
            return state.failure
        }
        if let failure { throw failure }
    }
}

/// Tokens that anyone can read: `refresh.<session>.<number>`, `lm_<number>`, `access.<account>.<session>`.
package final class MintFake: CredentialMint, AccessTokenIssuer {
    private let count = Mutex(0)

    package init() {}

    private func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }

    package static func digest(_ text: String) -> Fingerprint {
        Fingerprint(Array(text.utf8) + Array(repeating: 0, count: 16))
    }

    package func refreshToken(of session: SessionID) -> MintedCredential {
        let text = "refresh.\(session).\(next())"
        return MintedCredential(text: text, digest: Self.digest(text))
    }

    package func readRefreshToken(_ text: String) -> (session: SessionID, digest: Fingerprint)? {
        let parts = text.split(separator: ".")
        guard parts.count == 3, parts[0] == "refresh", let session = SessionID(parts[1]) else { return nil }
        return (session, Self.digest(text))
    }

    package func apiKey() -> MintedCredential {
        let text = "lm_\(next())"
        return MintedCredential(text: text, digest: Self.digest(text))
    }

    package func readAPIKey(_ text: String) -> Fingerprint? { text.hasPrefix("lm_") ? Self.digest(text) : nil }

    package func issue(for account: Account, in session: SessionID) -> AccessToken {
        AccessToken(text: "access.\(account.id).\(session)", expiresIn: .seconds(900))
    }
}

/// Keeps what was recorded.
package final class AuditFake: AuditLog {
    private let entries = Mutex<[AuditEntry]>([])

    package init() {}

    package func record(_ entry: AuditEntry) { entries.withLock { $0.append(entry) } }

    /// The entries since the last call.
    package func take() -> [AuditEntry] {
        entries.withLock { entries in
            defer { entries = [] }
            return entries
        }
    }
}

/// A time of day that a test sets.
package final class SettableClock: WallClock {
    private let time: Mutex<Timestamp>

    package init(_ time: Timestamp = Timestamp(milliseconds: 1_795_253_400_000)) { self.time = Mutex(time) }

    package func now() -> Timestamp { time.withLock { $0 } }
    package func advance(by step: Duration) { time.withLock { $0 = $0.advanced(by: step) } }
}
