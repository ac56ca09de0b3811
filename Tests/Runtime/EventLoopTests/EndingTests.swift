import EventLoop
import Glibc
import TestSupport
import Testing

@Suite("The end of a stream", .tags(.integration))
struct EndingTests {
    @Test("After the peer's end the stream can still be written to")
    func halfClose() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, on: loop)
            let recorder = stream.recorded()
            peer.write("question")
            peer.finishWriting()
            try await eventually("the end is told", on: loop) { recorder.ends == 1 }
            #expect(recorder.text == "question" && !recorder.isClosed)
            stream.write("answer")
            stream.finish()
            let (bytes, end) = try await peer.readToEnd(on: loop)
            #expect(bytes == Array("answer".utf8) && end == .end)
            #expect(recorder.closes == [nil] && recorder.ends == 1)
        }
    }

    @Test("A reset by the peer closes the stream with the system's error")
    func reset() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, on: loop)
            let recorder = stream.recorded()
            peer.reset()
            try await eventually("the stream is closed", on: loop) { recorder.isClosed }
            #expect(recorder.closes == [.network(NetworkError(code: -ECONNRESET))])
            #expect(stream.isClosed && stream.delegate == nil)
        }
    }

    @Test("Writing to a connection that was reset fails the stream and not the process")
    func resetWhileWriting() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, bufferBytes: 8192, on: loop)
            let recorder = Recorder()
            stream.delegate = recorder
            stream.write([UInt8](repeating: 0, count: 1 << 20))
            try await eventually("some of it leaves", on: loop) { stream.pendingBytes < 1 << 20 }
            peer.reset()
            try await eventually("the stream is closed", on: loop) { recorder.isClosed }
            #expect(recorder.closes.count == 1 && recorder.closes[0] != nil)
        }
    }

    @Test("What is written to a closed or finishing stream is ignored")
    func afterClose() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, on: loop)
            stream.write("kept")
            stream.finish()
            stream.write("ignored")
            #expect(stream.pendingBytes == 4)
            peer.finishWriting()
            let (bytes, end) = try await peer.readToEnd(on: loop)
            #expect(bytes == Array("kept".utf8) && end == .end)
            try await eventually("the stream is closed", on: loop) { stream.isClosed }
            stream.write("ignored")
            stream.finish()
            stream.awaitDrain()
            stream.startReading()
            stream.close()
            #expect(stream.pendingBytes == 0 && stream.peerAddress.isEmpty)
        }
    }

    @Test("Finishing delivers everything before the end, also to a peer that is slow and has more to say")
    func finish() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, bufferBytes: 8192, on: loop)
            let recorder = stream.recorded()
            let count = 1 << 19
            stream.write([UInt8](repeating: 7, count: count))
            stream.finish(linger: .seconds(60))
            peer.write("unread")
            let (bytes, end) = try await peer.readToEnd(on: loop)
            #expect(bytes == [UInt8](repeating: 7, count: count) && end == .end)
            #expect(!recorder.isClosed && recorder.byteCount == 0, "it lingers and delivers nothing")
            peer.close()
            try await eventually("the peer's end closes it", on: loop) { recorder.isClosed }
            #expect(recorder.closes == [nil] && recorder.ends == 0)
        }
    }

    @Test("A finished stream waits for its peer's end no longer than its limit")
    func linger() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, on: loop)
            let recorder = stream.recorded()
            stream.finish(linger: .milliseconds(20))
            #expect(try await peer.nextRead(on: loop) == .end)
            try await eventually("the stream is closed", on: loop) { recorder.isClosed }
            #expect(recorder.closes == [nil])
        }
    }

    @Test("Stopping to read leaves bytes and the peer's end in the kernel")
    func stopReading() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(on: loop)
            let recorder = stream.recorded()
            recorder.onRead = { _ in stream.stopReading() }
            peer.write("one")
            try await eventually("the first bytes arrive", on: loop) { recorder.text == "one" }
            peer.write("two")
            peer.finishWriting()
            try await turn(loop)
            #expect(recorder.text == "one" && recorder.ends == 0)
            recorder.onRead = { _ in }
            stream.startReading()
            try await eventually("the rest follows", on: loop) { recorder.ends == 1 }
            #expect(recorder.text == "onetwo")
        }
    }

    /// When a delegate closes its stream.
    enum Moment: CaseIterable {
        case read, end, drain, close
    }

    @Test("A stream may be closed in any of its callbacks", arguments: Moment.allCases)
    func closeInside(_ moment: Moment) async throws {
        try await onLoop { loop in
            weak var freed: ByteStream?
            do {
                let (stream, peer) = try Peer.pair(bufferBytes: 4096, on: loop)
                freed = stream
                let recorder = stream.recorded()
                let close = {
                    stream.write("pending")
                    stream.close()
                    stream.close()
                }
                switch moment {
                case .read: recorder.onRead = { _ in close() }
                case .end: recorder.onEnd = close
                case .drain: recorder.onDrain = close
                case .close: recorder.onClose = close
                }
                if moment == .drain { stream.write([UInt8](repeating: 0, count: 50_000)) }
                peer.write("something")
                peer.finishWriting()
                if moment == .close { stream.close() }
                try await eventually("the stream is closed", on: loop) {
                    _ = peer.read()
                    return recorder.isClosed
                }
                try await turn(loop)
                #expect(recorder.closes == [nil])
                recorder.onRead = { _ in }
                recorder.onEnd = {}
                recorder.onDrain = {}
                recorder.onClose = {}
            }
            try await eventually("the stream is freed", on: loop) { freed == nil }
        }
    }

    @Test("Closing with unwritten bytes drops them, reports the end once and frees the stream")
    func closeWhileWriting() async throws {
        try await onLoop { loop in
            weak var freed: ByteStream?
            do {
                let (stream, peer) = try Peer.pair(bufferBytes: 4096, on: loop)
                freed = stream
                let recorder = stream.recorded()
                stream.write([UInt8](repeating: 0, count: 1 << 20))
                try await eventually("some of it leaves", on: loop) { stream.pendingBytes < 1 << 20 }
                stream.close()
                let (bytes, end) = try await peer.readToEnd(on: loop)
                #expect(bytes.count < 1 << 20 && end == .end)
                #expect(recorder.closes == [nil] && recorder.drains == 0)
            }
            try await eventually("the stream is freed", on: loop) { freed == nil }
        }
    }
}
