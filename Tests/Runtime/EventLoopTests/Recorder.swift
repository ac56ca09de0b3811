import EventLoop
import Text

/// Records the calls of a stream to its delegate, and acts on them where a test needs it.
final class Recorder: ByteStreamDelegate {
    private(set) var bytes: [UInt8] = []
    private(set) var byteCount = 0
    private(set) var ends = 0
    private(set) var drains = 0
    private(set) var closes: [StreamFailure?] = []

    /// False for what would not fit into memory.
    var keepsBytes = true
    var onRead: (Span<UInt8>) -> Void = { _ in }
    var onEnd: () -> Void = {}
    var onDrain: () -> Void = {}
    var onClose: () -> Void = {}

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var isClosed: Bool { !closes.isEmpty }

    func streamDidRead(_ bytes: Span<UInt8>) {
        if keepsBytes { self.bytes.append(copying: bytes) }
        byteCount += bytes.count
        onRead(bytes)
    }

    func streamDidReachEnd() {
        ends += 1
        onEnd()
    }

    func streamDidDrain() {
        drains += 1
        onDrain()
    }

    func streamDidClose(_ failure: StreamFailure?) {
        closes.append(failure)
        onClose()
    }
}

extension ByteStream {
    func write(_ text: String) { write(Array(text.utf8)) }

    /// Gives the stream a recorder and starts to read.
    func recorded() -> Recorder {
        let recorder = Recorder()
        delegate = recorder
        startReading()
        return recorder
    }
}
