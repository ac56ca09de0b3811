/// The ports of an attempt that do not concern the queue, the answer or the provider.
package struct AttemptDependencies {
    package let clock: any MonotonicClock
    package let tasks: any LocalTasks
    package let backoff: Backoff
    package let traces: any AttemptTracing

    package init(clock: any MonotonicClock, tasks: any LocalTasks, backoff: Backoff, traces: any AttemptTracing) {
        self.clock = clock
        self.tasks = tasks
        self.backoff = backoff
        self.traces = traces
    }
}
