/// The unfinished tasks of a loop, which the end of the loop cancels and waits for.
///
/// A task is identified by a number from its first job on the loop until its operation returns.
struct UnfinishedTasks {
    /// The value is nil between the start of a task and the moment its handle is known.
    private var running: [UInt64: (any CancellableTask)?] = [:]

    var isEmpty: Bool { running.isEmpty }

    mutating func begin(_ number: UInt64) { running.updateValue(nil, forKey: number) }

    /// Stores the handle, unless the task has ended already.
    mutating func setHandle(_ task: some CancellableTask, of number: UInt64) {
        if running.keys.contains(number) { running.updateValue(task, forKey: number) }
    }

    mutating func end(_ number: UInt64) { running.removeValue(forKey: number) }

    /// The handles of the running tasks.
    var handles: [any CancellableTask] { running.values.compactMap(\.self) }
}

/// A task of any result type.
protocol CancellableTask {
    func cancel()
}

extension Task: CancellableTask {}
