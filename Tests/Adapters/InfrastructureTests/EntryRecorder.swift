import Infrastructure

/// Records the entries that a consumer does not process.
final class EntryRecorder: StreamEntryObserver {
    private(set) var malformed: [String] = []
    private(set) var laterVersions = 0

    func foundMalformed(entry: String) { malformed.append(entry) }
    func foundLaterVersion() { laterVersions += 1 }
}
