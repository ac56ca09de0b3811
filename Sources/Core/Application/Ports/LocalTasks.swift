/// Starts tasks on the caller's own thread, so that they can share its non-Sendable objects.
package protocol LocalTasks {
    /// Starts `operation` at once.
    ///
    /// The task is unstructured: the caller keeps it, and awaits or cancels it.
    func start(_ operation: @escaping () async -> Void) -> Task<Void, Never>
}
