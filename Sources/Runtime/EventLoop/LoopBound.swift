/// Passes an object of a loop through code that runs on other threads.
///
/// Safety: `@unchecked Sendable` because other threads only pass the value on; ``onLoop`` traps on any other thread.
package struct LoopBound<Value>: @unchecked Sendable {
    package let loop: Loop
    private let value: Value

    package init(_ value: Value, of loop: Loop) {
        self.loop = loop
        self.value = value
    }

    /// The object, on its loop's thread.
    package var onLoop: Value {
        precondition(loop.isCurrent, "an object of a loop is used on another thread")
        return value
    }
}
