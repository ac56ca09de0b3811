import EventLoop
import Glibc
import TestSupport
import Testing

@Suite("Writing to a stream", .tags(.integration), .timeLimit(.minutes(2)))
struct WritingTests {
    @Test("What arrives can be sent back")
    func echo() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, on: loop)
            let recorder = stream.recorded()
            recorder.onRead = { stream.write($0) }
            peer.write("hello")
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("hello".utf8)))
            #expect(recorder.text == "hello")
            #expect(stream.pendingBytes == 0 && stream.takenBytes == 5)
        }
    }

    @Test("All that a turn writes leaves in one system call")
    func joined() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.packets, on: loop)
            for number in 0..<100 { stream.write("\(number) ") }
            #expect(peer.read() == .nothing, "nothing leaves before the turn ends")
            let expected = (0..<100).map { "\($0) " }.joined()
            #expect(try await peer.nextRead(on: loop) == .bytes(Array(expected.utf8)))
            stream.write("next turn")
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("next turn".utf8)))
            #expect(peer.read() == .nothing)
        }
    }

    @Test("Work put off to the end of the turn still writes into the same system call")
    func executeSoon() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.packets, on: loop)
            loop.executeSoon {
                stream.write("b")
                loop.executeSoon { stream.write("c") }
            }
            stream.write("a")
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("abc".utf8)))
        }
    }

    @Test("A closure that appends to the output may look at its stream, write to it and close it")
    func reentrantWrite() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.packets, on: loop)
            stream.write { output in
                output += Array("first ".utf8)
                #expect(stream.pendingBytes == 0)
                stream.write("second ")
            }
            stream.write("third")
            #expect(try await peer.nextRead(on: loop) == .bytes(Array("first second third".utf8)))
            stream.write { output in
                output += Array("lost".utf8)
                stream.close()
            }
            #expect(try await peer.nextRead(on: loop) == .end)
        }
    }

    @Test("A peer that does not read makes bytes wait, and the stream reports when they are written")
    func backPressure() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.tcp, bufferBytes: 8192, on: loop)
            let recorder = stream.recorded()
            let count = 1 << 18
            stream.write([UInt8](repeating: 1, count: count))
            #expect(stream.pendingBytes == count)
            try await eventually("the kernel takes what it can", on: loop) { stream.pendingBytes < count }
            stream.write([UInt8](repeating: 2, count: count))
            #expect(try await settled(on: loop) { stream.pendingBytes } > count)
            #expect(Int(stream.takenBytes) + stream.pendingBytes == 2 * count)
            #expect(stream.acknowledgedBytes <= stream.takenBytes)
            #expect(recorder.drains == 0)
            var received: [UInt8] = []
            while received.count < 2 * count {
                guard case .bytes(let bytes) = try await peer.nextRead(on: loop) else { break }
                received += bytes
            }
            #expect(received == [UInt8](repeating: 1, count: count) + [UInt8](repeating: 2, count: count))
            try await eventually("the stream has drained", on: loop) { recorder.drains > 0 }
            #expect(stream.pendingBytes == 0 && recorder.drains == 1)
            try await eventually("all is acknowledged", on: loop) { stream.acknowledgedBytes == 2 * count }
        }
    }

    @Test("The drain is reported only when it was awaited or bytes waited")
    func awaitedDrain() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(on: loop)
            let recorder = stream.recorded()
            stream.write("little")
            _ = try await peer.nextRead(on: loop)
            #expect(recorder.drains == 0)
            stream.awaitDrain()
            try await eventually("the drain is told", on: loop) { recorder.drains == 1 }
            stream.write("more")
            stream.awaitDrain()
            try await eventually("the drain is told again", on: loop) { recorder.drains == 2 }
            #expect(stream.pendingBytes == 0)
        }
    }

    @Test("A drain that was awaited while bytes waited is reported once")
    func awaitedDrainOnce() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(bufferBytes: 4096, on: loop)
            let recorder = stream.recorded()
            stream.write([UInt8](repeating: 0, count: 100_000))
            stream.awaitDrain()
            var received = 0
            while received < 100_000, case .bytes(let bytes) = try await peer.nextRead(on: loop) {
                received += bytes.count
            }
            try await eventually("the drain is told", on: loop) { recorder.drains > 0 }
            try await turn(loop)
            #expect(recorder.drains == 1)
        }
    }

    @Test("A stream that writes more at each drain does not block the others of the loop")
    func fairness() async throws {
        try await onLoop { loop in
            let (stream, peer) = try Peer.pair(.packets, on: loop)
            let recorder = stream.recorded()
            var isOver = false
            recorder.onDrain = {
                guard !isOver else { return }
                stream.write("more")
                _ = peer.read()
                stream.awaitDrain()
            }
            stream.awaitDrain()
            // The others of the loop.
            try await turn(loop)
            isOver = true
            #expect(recorder.drains > 1)
        }
    }

    @Test("A hundred megabytes arrive whole, piece by piece")
    func huge() async throws {
        try await onLoop { loop in
            let ends = try Peer.sockets(.tcp)
            let sender = try ByteStream(adoptingTCP: ends[0], on: loop)
            let receiver = try ByteStream(adoptingTCP: ends[1], on: loop)
            let piece = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let total = 100 * piece.count
            let received = receiver.recorded()
            received.keepsBytes = false
            var isIntact = true
            received.onRead = { [unowned received] bytes in
                let end = received.byteCount % piece.count
                let start = (received.byteCount - bytes.count) % piece.count
                let expected = start < end ? piece[start..<end] : piece[start...] + piece[..<end]
                let isSame = unsafe expected.withUnsafeBytes { expected in
                    unsafe bytes.withUnsafeBytes { unsafe same(expected, $0) }
                }
                if !isSame { isIntact = false }
            }
            let sent = sender.recorded()
            var written = 0
            sent.onDrain = {
                guard written < total else { return sender.finish() }
                sender.write(piece)
                written += piece.count
                sender.awaitDrain()
            }
            received.onEnd = { receiver.finish() }
            sender.awaitDrain()
            let isSent = OneShot<Void>(loop: loop)
            sent.onClose = { isSent.succeed(()) }
            try await isSent.value()
            #expect(received.byteCount == total && isIntact)
            #expect(sent.closes == [nil])
        }
    }
}

private func same(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    guard one.count == other.count, let one = one.baseAddress, let start = other.baseAddress else { return false }
    return unsafe memcmp(one, start, other.count) == 0
}
