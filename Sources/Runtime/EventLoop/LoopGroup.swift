internal import CUV
internal import Glibc
internal import Synchronization

/// A fixed set of loops, one thread each.
package final class LoopGroup: Sendable {
    package let loops: [Loop]
    private let next = Atomic<Int>(0)
    private let threads: Mutex<[Thread]>

    /// The thread of one loop, as libuv names it.
    private struct Thread: @unchecked Sendable {
        // Safety: an opaque thread id; only `join` uses it, once.
        var id: uv_thread_t
    }

    /// Starts `count` loops (at least one), each on a new thread.
    ///
    /// The process ignores SIGPIPE from then on: libuv writes with `write(2)`, and a peer that has reset its connection
    /// would otherwise end the process. The write itself still fails with EPIPE.
    package init(count: Int) {
        precondition(count > 0, "a loop group needs at least one loop")
        signal(SIGPIPE, SIG_IGN)
        loops = (0..<count).map { Loop(index: $0) }
        threads = Mutex([])
        let started = loops.map { loop in
            var id = uv_thread_t()
            // Safety: the new thread takes over the reference; it is released when the loop has ended.
            let context = Unmanaged.passRetained(loop.core).toOpaque()
            let status = uv_thread_create(
                &id,
                { argument in
                    guard let argument else { return }
                    let core = Unmanaged<LoopCore>.fromOpaque(argument).takeRetainedValue()
                    core.run()
                },
                context,
            )
            precondition(status == 0, "could not start an event-loop thread: \(status)")
            return Thread(id: id)
        }
        threads.withLock { $0 = started }
    }

    /// The loops in turn, one more at each call.
    package func nextLoop() -> Loop {
        let turn = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(UInt(bitPattern: turn) % UInt(loops.count))]
    }

    /// Ends all loops: cancels their tasks, closes what is still open on them and joins their threads.
    ///
    /// A task that does not end within two seconds of its cancellation is never resumed. Idempotent. Blocks; not to be
    /// called from a loop.
    package func stop() {
        precondition(!loops.contains(where: \.isCurrent), "a loop cannot wait for its own end")
        let threads = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        guard !threads.isEmpty else { return }
        for loop in loops {
            let core = loop.core
            core.submit(.work { core.stop() })
        }
        for var thread in threads { uv_thread_join(&thread.id) }
    }
}
