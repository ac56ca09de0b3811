/// Notified of stream entries that this release does not process, on the loop of their consumer; a call must not wait.
package protocol StreamEntryObserver: AnyObject {
    /// No release can read the entry: it becomes a dead letter.
    func foundMalformed(entry: String)
    /// A later release wrote the entry: it waits for a worker of that release. Called with each delivery of the entry.
    func foundLaterVersion()
}
