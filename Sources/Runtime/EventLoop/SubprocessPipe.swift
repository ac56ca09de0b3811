internal import CUV

/// Our end of one standard stream of a child.
final class SubprocessPipe: LoopHandle {
    private static let readBytes = 16 << 10
    private static let lineBytesMax = 64 << 10

    private var sink: Subprocess.Sink
    private let buffer: UnsafeMutableRawBufferPointer
    private var line: [UInt8] = []

    /// Bytes on their way to the child.
    ///
    /// libuv's request lies at the front of the allocation.
    private final class Write {
        let request = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)
        let bytes: UnsafeMutableBufferPointer<CChar>
        let pipe: SubprocessPipe

        init(_ source: [UInt8], to pipe: SubprocessPipe) {
            bytes = .allocate(capacity: source.count)
            _ = bytes.initialize(from: source.lazy.map { CChar(bitPattern: $0) })
            self.pipe = pipe
        }

        deinit {
            bytes.deallocate()
            request.deallocate()
        }
    }

    init(loop: Loop, sink: Subprocess.Sink) {
        self.sink = sink
        buffer = .allocate(byteCount: Self.readBytes, alignment: 16)
        super.init(on: loop, handle: UV_NAMED_PIPE)
        uv_pipe_init(loop.core.uv, pointer(as: uv_pipe_t.self), 0)
        adopt()
    }

    deinit { buffer.deallocate() }

    /// A pipe for a sink that wants to see the stream, else nil.
    static func reading(_ sink: Subprocess.Sink, on loop: Loop) -> SubprocessPipe? {
        switch sink {
        case .ignore, .inherit: nil
        case .lines, .bytes: SubprocessPipe(loop: loop, sink: sink)
        }
    }

    func startReading() {
        let status = uv_read_start(
            pointer(as: uv_stream_t.self),
            { handle, _, result in
                let pipe = LoopHandle.of(handle, as: SubprocessPipe.self)
                result?.pointee = uv_buf_init(
                    pipe.buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                    UInt32(pipe.buffer.count)
                )
            },
            { stream, count, _ in LoopHandle.of(stream, as: SubprocessPipe.self).received(count) },
        )
        if status < 0 { end() }
    }

    /// Sends all bytes, then closes; a child that no longer reads loses the rest.
    func writeAndClose(_ bytes: [UInt8]) {
        let write = Write(bytes, to: self)
        var piece = uv_buf_init(write.bytes.baseAddress, UInt32(write.bytes.count))
        // Safety: balanced in the callback, which libuv calls exactly once, also when the pipe closes early.
        write.request.pointee.data = Unmanaged.passRetained(write).toOpaque()
        let status = uv_write(write.request, pointer(as: uv_stream_t.self), &piece, 1) { request, _ in
            guard let data = request?.pointee.data else { return }
            Unmanaged<Write>.fromOpaque(data).takeRetainedValue().pipe.close()
        }
        if status < 0 {
            Unmanaged.passUnretained(write).release()
            close()
        }
    }

    private func received(_ count: Int) {
        guard count >= 0 else { return end() }
        guard count > 0 else { return }
        let piece = ArraySlice(buffer[..<count])
        switch sink {
        case .ignore, .inherit: break
        case .bytes(let take): take(piece)
        case .lines(let take): split(piece, take)
        }
    }

    private func split(_ piece: ArraySlice<UInt8>, _ take: (String) -> Void) {
        for byte in piece {
            if byte == UInt8(ascii: "\n") {
                take(String(decoding: line, as: UTF8.self))
                line.removeAll(keepingCapacity: true)
            } else {
                line.append(byte)
                if line.count == Self.lineBytesMax {
                    take(String(decoding: line, as: UTF8.self))
                    line.removeAll(keepingCapacity: true)
                }
            }
        }
    }

    private func end() {
        let sink = sink
        let rest = line
        line = []
        close()
        switch sink {
        case .ignore, .inherit: break
        case .bytes(let take): take([])
        case .lines(let take): if !rest.isEmpty { take(String(decoding: rest, as: UTF8.self)) }
        }
    }

    override func willClose() { sink = .ignore }
}
