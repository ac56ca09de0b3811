/// A worker's place among the consumers of the queue.
package protocol QueueMembership {
    /// Takes this worker off the queue's list where it owns no job; where it does, it stays until another has them.
    func leave() async
    /// Takes off the list whoever owns no job and has been silent for long; returns how many that were.
    ///
    /// A live worker among them is put on it again by its next job.
    func removeSilentConsumers() async throws(QueueFailure) -> Int
}
