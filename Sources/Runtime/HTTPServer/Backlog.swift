internal import Text

/// Bytes of a connection that wait until the requests before them are answered.
///
/// Bytes removed from the front are freed once they are at least as many as those that still wait: the storage never
/// exceeds twice the most that has waited at once, and a byte is moved once on average.
struct Backlog {
    private var bytes: [UInt8] = []
    private var start = 0

    /// Bytes that wait.
    var count: Int { bytes.count - start }

    var isEmpty: Bool { count == 0 }

    /// Bytes of storage, removed ones included.
    var storedBytes: Int { bytes.count }

    mutating func append(_ more: Span<UInt8>) { bytes.append(copying: more) }

    /// Calls `body` with the bytes that wait.
    func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        body(bytes.span.extracting(droppingFirst: start))
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
