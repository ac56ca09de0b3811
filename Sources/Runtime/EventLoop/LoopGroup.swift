internal import CUV
internal import Glibc
internal import Synchronization

/// A fixed set of loops, one thread each.
package final class LoopGroup: Sendable {
    package let loops: [Loop]
    private let next = Atomic<Int>(0)
    private let threads: Mutex<[Thread]>

    /// The thread of one loop.
    ///
    /// Safety: `@unchecked Sendable` because the id is opaque; only `stop()` uses it, once.
    private struct Thread: @unchecked Sendable {
        var id: uv_thread_t
    }

    /// Starts `count` loops (at least one), each on a new thread.
    ///
    /// Ignores SIGPIPE for the whole process: libuv writes with `write(2)`, and a peer that resets its connection would
    /// otherwise end the process. The write itself still fails with EPIPE.
    package init(count: Int) {
        precondition(count > 0, "a loop group needs at least one loop")
        signal(SIGPIPE, SIG_IGN)
        loops = (0..<count).map { Loop(index: $0) }
        threads = Mutex([])
        let started = loops.map { loop in
            var id = uv_thread_t()
            // Safety: the new thread owns this reference and releases it when the loop has ended.
            let context = unsafe Unmanaged.passRetained(loop.core).toOpaque()
            let status = unsafe uv_thread_create(
                &id,
                { argument in
                    guard let argument = unsafe argument else { return }
                    let core = unsafe Unmanaged<LoopCore>.fromOpaque(argument).takeRetainedValue()
                    core.run()
                },
                unsafe context,
            )
            precondition(status == 0, "cannot start an event-loop thread: \(status)")
            return Thread(id: id)
        }
        threads.withLock { $0 = started }
    }

    /// The next loop in round-robin order.
    package func nextLoop() -> Loop {
        let turn = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(UInt(bitPattern: turn) % UInt(loops.count))]
    }

    /// Ends all loops: cancels their tasks, closes their open handles and joins their threads.
    ///
    /// A task that does not end within two seconds of its cancellation is never resumed. Idempotent. Blocks; must not be
    /// called from a loop.
    package func stop() {
        precondition(!loops.contains(where: \.isCurrent), "a loop cannot join its own thread")
        let threads = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        guard !threads.isEmpty else { return }
        for loop in loops {
            let core = loop.core
            core.submit(.work { core.stop() })
        }
        for var thread in threads { unsafe uv_thread_join(&thread.id) }
    }
}
