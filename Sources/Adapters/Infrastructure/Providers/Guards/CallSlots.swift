internal import Synchronization

/// Limits the calls of one provider at once, over all loops of a process.
///
/// Beyond the limit callers may wait, first come, first served. Safe from any thread.
package final class CallSlots: Sendable {
    private struct Waiter {
        let ticket: UInt64
        let wake: @Sendable () -> Void
    }

    private struct Status {
        var taken = 0
        var queue: [Waiter] = []
        var tickets: UInt64 = 0
    }

    private let slotsMax: Int
    private let waitersMax: Int
    private let status = Mutex(Status())

    /// `slotsMax` is at least 1.
    package init(slotsMax: Int, waitersMax: Int) {
        self.slotsMax = slotsMax
        self.waitersMax = waitersMax
    }

    /// Acquires a slot if one is free; the caller releases it with ``release()``.
    func acquire() -> Bool {
        status.withLock { status in
            guard status.taken < slotsMax else { return false }
            status.taken += 1
            return true
        }
    }

    /// Enqueues a caller for a slot; nil where the queue is full.
    ///
    /// `wake` is called once, on any thread, when the slot is the caller's.
    func enqueue(_ wake: @escaping @Sendable () -> Void) -> UInt64? {
        status.withLock { status in
            guard status.queue.count < waitersMax else { return nil }
            status.tickets += 1
            status.queue.append(Waiter(ticket: status.tickets, wake: wake))
            return status.tickets
        }
    }

    /// Removes a caller from the queue; false where it has a slot by now, which it must release.
    func remove(_ ticket: UInt64) -> Bool {
        status.withLock { status in
            guard let place = status.queue.firstIndex(where: { $0.ticket == ticket }) else { return false }
            status.queue.remove(at: place)
            return true
        }
    }

    /// Releases a slot, to the first waiting caller if there is one.
    func release() {
        let next = status.withLock { status -> Waiter? in
            guard !status.queue.isEmpty else {
                status.taken -= 1
                return nil
            }
            return status.queue.removeFirst()
        }
        next?.wake()
    }
}
