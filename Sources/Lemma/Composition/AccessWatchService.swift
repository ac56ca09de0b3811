import API
import Application
import EventLoop
import Lifecycle

/// Polls for withdrawn access on one loop of an API replica, before the listener opens and until it has closed.
final class AccessWatchService: Service {
    let name = "access-watch"
    private let changes: any AccessChanges
    private let withdrawn: WithdrawnAccess
    private let loop: Loop

    init(_ changes: any AccessChanges, _ withdrawn: WithdrawnAccess, on loop: Loop) {
        self.changes = changes
        self.withdrawn = withdrawn
        self.loop = loop
    }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let watch = try await loop.run { [changes, withdrawn] loop in
            let watch = AccessWatch(changes: changes, withdrawn: withdrawn, loop: loop)
            // What is withdrawn already is known before the first request, unless the database is away.
            await watch.refresh()
            watch.start()
            return LoopBound(watch, of: loop)
        }
        started()
        await untilCancelled()
        // In a task of its own: this one is cancelled, and cancelled work on a loop ends at once.
        try await Task { [loop] in
            try await loop.run { _ in watch.onLoop.close() }
        }.value
        throw CancellationError()
    }
}
