import EventLoop
import HTTPServer

/// Sends a greeting, echoes what it receives, and sends a farewell at the client's end or a drain.
///
/// The query of its request makes it `stubborn` (a drain does not end it), or has it `flood` the client or `close` at once.
final class EchoProtocol: UpgradedConnectionDelegate {
    private let stream: ByteStream
    private let record: Record
    private let isStubborn: Bool

    init(_ stream: ByteStream, _ record: Record, _ query: HTTPQuery) {
        self.stream = stream
        self.record = record
        isStubborn = query["stubborn"] != nil
        stream.write(Array("hello: ".utf8))
        if query["flood"] != nil { stream.write([UInt8](repeating: 0x62, count: 8_000_000)) }
        if query["close"] != nil { stream.close() }
    }

    func streamDidRead(_ bytes: Span<UInt8>) { stream.write(bytes) }

    func streamDidReachEnd() {
        record.note("upgraded: ended")
        end("bye")
    }

    func streamDidDrain() { record.note("upgraded: drained") }

    func streamDidClose(_ failure: StreamFailure?) { record.note("upgraded: closed") }

    func serverDidBeginDraining() {
        record.note("upgraded: draining")
        if !isStubborn { end("going away") }
    }

    private func end(_ word: String) {
        stream.write(Array(word.utf8))
        stream.finish()
    }
}
