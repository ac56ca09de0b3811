package import Application
internal import Shared
internal import Synchronization

/// When API keys were last used, until it is stored: a use costs no write.
///
/// Shared by the loops of the process. At most 10,000 keys wait to be stored; while the store is away, further ones are
/// not noted. What is not stored when the process dies is lost.
package final class APIKeyUses: Sendable {
    private static let keysMax = 10_000

    private let keys: any APIKeyRepository
    private let waiting = Mutex<[APIKeyID: Timestamp]>([:])

    package init(_ keys: any APIKeyRepository) { self.keys = keys }

    func note(_ key: APIKeyID, at time: Timestamp) {
        waiting.withLock { waiting in
            guard waiting.count < Self.keysMax || waiting[key] != nil else { return }
            waiting[key] = max(waiting[key] ?? time, time)
        }
    }

    /// Stores what was noted; what cannot be stored waits for the next call.
    package func store() async {
        let uses = waiting.withLock { waiting in
            defer { waiting = [:] }
            return waiting
        }
        guard !uses.isEmpty else { return }
        do throws(RepositoryFailure) {
            try await keys.noteUse(uses)
        } catch {
            for (key, time) in uses { note(key, at: time) }
        }
    }
}
