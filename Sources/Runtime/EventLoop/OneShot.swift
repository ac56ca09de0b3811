/// One value that one task of a loop waits for; set by a callback on the same loop.
///
/// Loop-owned, so there is no lock: the value may come before or after the wait begins. The first value wins, later
/// ones are ignored. Cancelling the waiting task ends the wait with `CancellationError`; a value that comes afterwards
/// is dropped, so whoever needs to free something with it uses ``isSettled`` first.
package final class OneShot<Value> {
    private enum State {
        case empty
        case waiting(UnsafeContinuation<Void, Never>)
        case settled(Value?)
    }

    private let loop: Loop
    private var state = State.empty

    package init(loop: Loop) { self.loop = loop }

    /// True once a value or a cancellation has arrived.
    package var isSettled: Bool {
        if case .settled = state { true } else { false }
    }

    package func succeed(_ value: Value) { settle(value) }

    /// Waits for the value.
    ///
    /// At most one task may wait.
    package func value() async throws(CancellationError) -> Value {
        loop.assertCurrent()
        // Safety: the cancellation handler may run on any thread; it only hands the object back to its own loop.
        nonisolated(unsafe) let unsafeSelf = self
        let loop = loop
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                // Checked inside the closure: the runtime may re-enqueue the task before it runs this.
                switch state {
                case .settled: continuation.resume()
                case .empty: state = .waiting(continuation)
                case .waiting: preconditionFailure("two tasks wait for one value")
                }
            }
        } onCancel: {
            loop.execute { unsafeSelf.settle(nil) }
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
            continuation.resume()
        }
    }
}
