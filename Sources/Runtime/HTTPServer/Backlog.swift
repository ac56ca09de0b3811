/// Bytes of a connection that wait for the answers before them.
///
/// What was taken off the front is dropped once it is at least as long as what still waits: the storage never exceeds
/// twice what has waited at once, and a byte is moved once on average.
struct Backlog {
    private var bytes: [UInt8] = []
    private var start = 0

    /// Bytes that wait.
    var count: Int { bytes.count - start }

    var isEmpty: Bool { count == 0 }

    /// Bytes of storage, those taken off included.
    var storedBytes: Int { bytes.count }

    mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// Passes what waits.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }

    mutating func removeFirst(_ count: Int) {
        start += count
        if start == bytes.count {
            self = Backlog()
        } else if start >= self.count {
            bytes.removeFirst(start)
            start = 0
        }
    }
}
