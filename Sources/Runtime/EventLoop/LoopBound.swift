/// Carries an object of a loop through code that does not run there.
///
/// Safety: `@unchecked Sendable` because only the reference travels; ``onLoop`` traps on any other thread.
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
