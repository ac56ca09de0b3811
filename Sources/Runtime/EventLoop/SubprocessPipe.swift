internal import CUV

/// This process's end of one standard stream of a child.
///
/// Safety: `@safe` because the buffer lives as long as the object, which libuv retains while it reads into the buffer.
@safe final class SubprocessPipe: LoopHandle {
    private static let readBytes = 16 << 10
    private static let lineBytesMax = 64 << 10

    private var sink: Subprocess.Sink
    private let buffer: UnsafeMutableRawBufferPointer
    private var line: [UInt8] = []

    /// A pending write to the child.
    ///
    /// Safety: `@safe` because both allocations live as long as the object, and libuv holds a reference while it uses them.
    @safe private final class Write {
        let request = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)
        let bytes: UnsafeMutableBufferPointer<CChar>
        let pipe: SubprocessPipe

        init(_ source: [UInt8], to pipe: SubprocessPipe) {
            unsafe bytes = .allocate(capacity: source.count)
            _ = unsafe bytes.initialize(from: source.lazy.map { CChar(bitPattern: $0) })
            self.pipe = pipe
        }

        deinit {
            unsafe bytes.deallocate()
            unsafe request.deallocate()
        }
    }

    init(loop: Loop, sink: Subprocess.Sink) {
        self.sink = sink
        unsafe buffer = .allocate(byteCount: Self.readBytes, alignment: 16)
        super.init(on: loop, handle: UV_NAMED_PIPE)
        unsafe uv_pipe_init(loop.core.uv, pointer(as: uv_pipe_t.self), 0)
        adopt()
    }

    deinit { unsafe buffer.deallocate() }

    /// A pipe for a sink that reads the stream, else nil.
    static func reading(_ sink: Subprocess.Sink, on loop: Loop) -> SubprocessPipe? {
        switch sink {
        case .ignore, .inherit: nil
        case .lines, .bytes: SubprocessPipe(loop: loop, sink: sink)
        }
    }

    func startReading() {
        let status = unsafe uv_read_start(
            pointer(as: uv_stream_t.self),
            { handle, _, result in
                let pipe = unsafe LoopHandle.of(handle, as: SubprocessPipe.self)
                unsafe result?.pointee = unsafe uv_buf_init(
                    pipe.buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                    UInt32(pipe.buffer.count)
                )
            },
            { stream, count, _ in unsafe LoopHandle.of(stream, as: SubprocessPipe.self).received(count) },
        )
        if status < 0 { end() }
    }

    /// Sends all bytes, then closes; the rest is dropped when the child stops reading.
    func writeAndClose(_ bytes: [UInt8]) {
        let write = Write(bytes, to: self)
        var piece = unsafe uv_buf_init(write.bytes.baseAddress, UInt32(write.bytes.count))
        // Safety: libuv owns this reference until the callback, which runs exactly once, also when the pipe closes early.
        unsafe write.request.pointee.data = unsafe Unmanaged.passRetained(write).toOpaque()
        let status = unsafe uv_write(write.request, pointer(as: uv_stream_t.self), &piece, 1) { request, _ in
            guard let data = unsafe request?.pointee.data else { return }
            unsafe Unmanaged<Write>.fromOpaque(data).takeRetainedValue().pipe.close()
        }
        if status < 0 {
            unsafe Unmanaged.passUnretained(write).release()
            close()
        }
    }

    private func received(_ count: Int) {
        guard count >= 0 else { return end() }
        guard count > 0 else { return }
        let piece = unsafe ArraySlice(buffer[..<count])
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
