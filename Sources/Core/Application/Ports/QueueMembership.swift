/// A worker's registration as a consumer of the queue.
package protocol QueueMembership {
    /// Removes this worker's registration where it owns no job; otherwise it stays until another worker owns its jobs.
    func leave() async
    /// Removes the registrations that own no job and have been silent for long; returns their number.
    ///
    /// A live worker among them is registered again with its next job.
    func removeIdleConsumers() async throws(QueueFailure) -> Int
}
