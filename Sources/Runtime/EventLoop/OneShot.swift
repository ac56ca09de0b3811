/// A single value that one task of a loop waits for and a callback on the same loop sets.
///
/// Loop-owned, therefore without a lock; the value may be set before or after the wait begins. The first value counts,
/// later ones are ignored. Cancelling the waiting task ends the wait with `CancellationError`; a value set after that is
/// dropped, so an owner that must free it checks ``isSettled`` first.
///
/// Safety: `@safe` because the continuation is resumed once: `settle` leaves the state `waiting` before it resumes.
@safe package final class OneShot<Value> {
    @safe private enum State {
        case empty
        case waiting(UnsafeContinuation<Void, Never>)
        case settled(Value?)
    }

    private let loop: Loop
    private var state = State.empty

    package init(loop: Loop) { self.loop = loop }

    /// True once a value or a cancellation was set.
    package var isSettled: Bool {
        if case .settled = state { true } else { false }
    }

    package func succeed(_ value: Value) { settle(value) }

    /// Waits for the value.
    ///
    /// At most one task may wait.
    package func value() async throws(CancellationError) -> Value {
        loop.assertCurrent()
        // Safety: the cancellation handler may run on any thread; it only passes the reference to the object's loop.
        nonisolated(unsafe) let unsafeSelf = self
        let loop = loop
        await withTaskCancellationHandler {
            unsafe await withUnsafeContinuation { continuation in
                // Checked inside the closure: the runtime may re-enqueue the task before it runs this.
                switch state {
                case .settled: unsafe continuation.resume()
                case .empty: state = unsafe .waiting(continuation)
                case .waiting: preconditionFailure("two tasks wait for one value")
                }
            }
        } onCancel: {
            loop.execute { unsafe unsafeSelf.settle(nil) }
        }
        guard case .settled(let value?) = state else { throw CancellationError() }
        return value
    }

    private func settle(_ value: Value?) {
        loop.assertCurrent()
        switch state {
        case .settled: break
        case .empty: state = .settled(value)
        case .waiting(let continuation):
            state = .settled(value)
            unsafe continuation.resume()
        }
    }
}
