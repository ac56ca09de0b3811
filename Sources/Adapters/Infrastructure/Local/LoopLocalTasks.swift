internal import Application
package import EventLoop

/// Starts the application's tasks on one loop.
package struct LoopLocalTasks: LocalTasks {
    private let loop: Loop

    package init(loop: Loop) { self.loop = loop }

    package func start(_ operation: @escaping () async -> Void) -> Task<Void, Never> { loop.spawn(operation) }
}
