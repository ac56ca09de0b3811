internal import Synchronization

/// Limits the calls of one provider at once, over all loops of a process.
///
/// Beyond the limit a caller may wait in line: first come, first served. Safe from any thread.
package final class CallSlots: Sendable {
    private struct Waiter {
        let ticket: UInt64
        let wake: @Sendable () -> Void
    }

    private struct Status {
        var taken = 0
        var line: [Waiter] = []
        var tickets: UInt64 = 0
    }

    private let slotsMax: Int
    private let lineMax: Int
    private let status = Mutex(Status())

    /// `slotsMax` is at least 1.
    package init(slotsMax: Int, lineMax: Int) {
        self.slotsMax = slotsMax
        self.lineMax = lineMax
    }

    /// Acquires a slot if one is free; the caller releases it with ``give()``.
    func take() -> Bool {
        status.withLock { status in
            guard status.taken < slotsMax else { return false }
            status.taken += 1
            return true
        }
    }

    /// Stands in line for a slot; nil where the line is full.
    ///
    /// `wake` is called once, on any thread, when the slot is the caller's.
    func join(_ wake: @escaping @Sendable () -> Void) -> UInt64? {
        status.withLock { status in
            guard status.line.count < lineMax else { return nil }
            status.tickets += 1
            status.line.append(Waiter(ticket: status.tickets, wake: wake))
            return status.tickets
        }
    }

    /// Leaves the line; false where the slot is the caller's by now and has to be given back.
    func leave(_ ticket: UInt64) -> Bool {
        status.withLock { status in
            guard let place = status.line.firstIndex(where: { $0.ticket == ticket }) else { return false }
            status.line.remove(at: place)
            return true
        }
    }

    /// Gives a slot back, to the first in line if there is one.
    func give() {
        let next = status.withLock { status -> Waiter? in
            guard !status.line.isEmpty else {
                status.taken -= 1
                return nil
            }
            return status.line.removeFirst()
        }
        next?.wake()
    }
}
