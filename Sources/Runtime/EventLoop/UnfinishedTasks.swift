/// The unfinished tasks of a loop, so that the end of the loop can cancel them and wait for them.
///
/// A task is known by a number from its first job on the loop until its operation has returned.
struct UnfinishedTasks {
    /// The value is nil between the start of a task and the moment its handle is known.
    private var running: [UInt64: (any CancellableTask)?] = [:]

    var isEmpty: Bool { running.isEmpty }

    mutating func begin(_ number: UInt64) { running.updateValue(nil, forKey: number) }

    /// Stores the handle, unless the task has ended already.
    mutating func keep(_ task: some CancellableTask, _ number: UInt64) {
        if running.keys.contains(number) { running.updateValue(task, forKey: number) }
    }

    mutating func end(_ number: UInt64) { running.removeValue(forKey: number) }

    /// The handles of the tasks that run now.
    var handles: [any CancellableTask] { running.values.compactMap(\.self) }
}

/// A task of any type that can be cancelled.
protocol CancellableTask {
    func cancel()
}

extension Task: CancellableTask {}
