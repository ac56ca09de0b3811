internal import CUV
internal import Text

/// The callbacks of a ``ByteStream`` to its owner, on the loop's thread.
///
/// The stream retains its delegate from the assignment until it has closed.
package protocol ByteStreamDelegate: AnyObject {
    /// Bytes arrived.
    func streamDidRead(_ bytes: Span<UInt8>)
    /// The peer has sent its last byte; the stream can still be written to.
    func streamDidReachEnd()
    /// The kernel has accepted all output. Called when output had to wait for the peer, or after
    /// ``ByteStream/awaitDrain()``.
    func streamDidDrain()
    /// The stream is closed, by either side; no other callback follows. `failure` is nil after ``ByteStream/close()``.
    func streamDidClose(_ failure: StreamFailure?)
}

/// Why a stream closed without a call of ``ByteStream/close()``.
package enum StreamFailure: Error, Equatable {
    /// The operating system reported an error.
    case network(NetworkError)
    /// The security layer rejected the peer or its bytes; the text contains no secret.
    case security(String)
}

/// A connected TCP or Unix-domain socket on a loop.
///
/// Writes are collected in memory and sent in one system call when the turn flushes. The stream has no limit of its own:
/// a writer checks ``pendingBytes`` and stops at its own bound. Loop-owned.
package final class ByteStream: LoopHandle, Flushable {
    package var delegate: (any ByteStreamDelegate)?

    private var output: [UInt8] = []
    private var isDirty = false
    private var isDrainAwaited = false
    private var isReading = false
    private var hasReachedEnd = false
    private var hasSealedEnd = false
    private var sentBytes: UInt64 = 0
    private var inFlight: InFlightWrite?
    private var failure: StreamFailure?
    private var finishing: Finishing?
    private var filter: (any StreamFilter)?

    private enum Finishing {
        /// Close once everything is written; wait at most `linger` for the peer's end.
        case afterWriting(linger: Duration)
        case lingering(LoopTimer)
    }

    init(loop: Loop, type: uv_handle_type) throws(NetworkError) {
        super.init(on: loop, handle: type)
        switch type {
        case UV_TCP: try unsafe check(uv_tcp_init(loop.core.uv, pointer(as: uv_tcp_t.self)))
        default: try unsafe check(uv_pipe_init(loop.core.uv, pointer(as: uv_pipe_t.self), 0))
        }
        adopt()
    }

    /// Adopts a connected TCP socket; the stream owns the descriptor from this call on, also when it throws.
    package convenience init(adoptingTCP descriptor: Int32, on loop: Loop) throws(NetworkError) {
        do {
            try self.init(loop: loop, type: UV_TCP)
        } catch {
            closeDescriptor(descriptor)
            throw error
        }
        let status = unsafe uv_tcp_open(pointer(as: uv_tcp_t.self), descriptor)
        guard status == 0 else {
            closeDescriptor(descriptor)
            close()
            throw NetworkError(code: status)
        }
        disableNagle()
    }

    var uvStream: UnsafeMutablePointer<uv_stream_t> { unsafe pointer(as: uv_stream_t.self) }

    /// Sends every flush at once; with Nagle's algorithm (RFC 896) it would wait for the previous acknowledgement.
    func disableNagle() { unsafe uv_tcp_nodelay(pointer(as: uv_tcp_t.self), 1) }

    /// Installs a security layer between the socket and the delegate, before the first byte is read or written.
    ///
    /// Output waits until the layer's handshake is complete.
    package func install(_ filter: any StreamFilter) {
        precondition(self.filter == nil && output.isEmpty, "a security layer must be installed before the first byte")
        self.filter = filter
        flushLater()
    }

    // MARK: Reading

    /// Starts to deliver received bytes to the delegate.
    package func startReading() {
        guard !isClosed, !isReading, !hasReachedEnd else { return }
        isReading = true
        unsafe uv_read_start(
            uvStream,
            { handle, _, buffer in
                // Safety: all streams of a loop share one buffer; libuv fills it and calls back before the next read.
                unsafe buffer?.pointee = unsafe ByteStream.of(handle, as: ByteStream.self).loop.core.readBuffer
            },
            { handle, count, buffer in
                unsafe ByteStream.of(handle, as: ByteStream.self).didRead(count, buffer?.pointee.base)
            },
        )
    }

    /// Leaves further bytes in the kernel, which is back-pressure for the peer.
    ///
    /// The peer's end is not noticed until reading starts again.
    package func stopReading() {
        guard isReading, !isClosed else { return }
        isReading = false
        unsafe uv_read_stop(uvStream)
    }

    private func didRead(_ count: Int, _ base: UnsafeMutablePointer<CChar>?) {
        if count > 0 {
            // Safety: libuv has written `count` bytes at `base`; the span does not outlive this call.
            unsafe receive(Span(_unsafeBytes: UnsafeRawBufferPointer(start: base, count: count)))
        } else if count == Int(UV_EOF.rawValue) {
            didReachEnd()
        } else if count < 0 {
            fail(.network(NetworkError(code: Int32(count))))
        }
    }

    /// Reports the end once: under TLS it arrives twice, as close_notify and from the socket.
    private func didReachEnd() {
        switch finishing {
        case nil: if !hasReachedEnd { delegate?.streamDidReachEnd() }
        case .afterWriting: break
        case .lingering: close()
        }
        hasReachedEnd = true
    }

    private func receive(_ bytes: Span<UInt8>) {
        guard finishing == nil else { return }
        guard let filter else {
            delegate?.streamDidRead(bytes)
            return
        }
        do {
            try filter.receive(bytes) { plain in
                if !isClosed, finishing == nil { delegate?.streamDidRead(plain) }
            }
            flushLater()
            if filter.peerHasFinished, !isClosed { didReachEnd() }
        } catch {
            flush()  // Sends the TLS alert.
            fail(.security(error.reason))
        }
    }

    // MARK: Writing

    /// Output that the kernel has not accepted yet, in bytes.
    package var pendingBytes: Int { output.count + inFlightBytes }

    /// Bytes that the kernel has accepted since the stream was opened.
    ///
    /// Bytes beyond this count have not reached the peer; those before it may have.
    package var takenBytes: UInt64 { sentBytes + UInt64((inFlight?.count ?? 0) - inFlightBytes) }

    /// Bytes that the peer's kernel has acknowledged since the stream was opened; costs a system call.
    ///
    /// A count that stays the same while ``pendingBytes`` is above zero means that the peer does not read.
    /// ``takenBytes`` would show that only after the kernel's send buffer, several megabytes, is full.
    package var acknowledgedBytes: UInt64 {
        let taken = takenBytes
        return taken - min(taken, UInt64(unacknowledgedBytes))
    }

    /// The rest of the write in flight that the kernel has not accepted, in bytes.
    private var inFlightBytes: Int { unsafe inFlight == nil ? 0 : uvStream.pointee.write_queue_size }

    /// Queues bytes for the flush at the end of this turn.
    ///
    /// Ignored on a closed or finishing stream.
    package func write(_ bytes: Span<UInt8>) {
        write { $0.append(copying: bytes) }
    }

    /// Queues bytes for the flush at the end of this turn.
    ///
    /// Ignored on a closed or finishing stream.
    package func write(_ bytes: [UInt8]) {
        write { $0.append(contentsOf: bytes) }
    }

    /// Lets `body` append to the output in place, for the flush at the end of this turn.
    ///
    /// `body` may use the stream; bytes that it writes there follow the bytes that it appends. During the call
    /// ``pendingBytes`` excludes the output queued before.
    package func write(_ body: (inout [UInt8]) -> Void) {
        loop.assertCurrent()
        guard !isClosed, finishing == nil else { return }
        // Moved out of `self`: a `body` that uses the stream would otherwise violate exclusive access.
        var bytes: [UInt8] = []
        swap(&bytes, &output)
        if bytes.capacity == 0 { bytes = loop.core.takeBuffer() }
        body(&bytes)
        guard !isClosed else { return loop.core.recycle(&bytes) }
        swap(&bytes, &output)
        if !bytes.isEmpty { output += bytes }
        flushLater()
    }

    /// Calls ``ByteStreamDelegate/streamDidDrain()`` once when the kernel has accepted all output, also when the next
    /// flush succeeds without waiting.
    package func awaitDrain() {
        isDrainAwaited = true
        flushLater()
    }

    private func flushLater() {
        guard !isDirty, !isClosed else { return }
        isDirty = true
        loop.flushAtEndOfTurn(self)
    }

    func flush() {
        isDirty = false
        guard !isClosed, inFlight == nil else { return }
        if let filter {
            var sealed = loop.core.takeBuffer()
            filter.seal(&output, into: &sealed)
            send(sealed)
            loop.core.recycle(&sealed)
        } else {
            send(output)
            output.removeAll(keepingCapacity: true)
        }
        if output.isEmpty { loop.core.recycle(&output) }
        guard inFlight == nil, output.isEmpty else { return }
        if isDrainAwaited, finishing == nil {
            isDrainAwaited = false
            delegate?.streamDidDrain()
        }
        didFinishWriting()
    }

    /// Writes as much as the kernel accepts now and queues the rest with libuv.
    private func send(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        unsafe bytes.withUnsafeBytes { bytes in
            var buffer = unsafe uv_buf_t(of: bytes)
            let sent = unsafe uv_try_write(uvStream, &buffer, 1)
            if sent > 0 { sentBytes += UInt64(sent) }
            if sent == bytes.count { return }
            guard sent >= 0 || sent == UV_EAGAIN.rawValue else {
                fail(.network(NetworkError(code: sent)))
                return
            }
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[max(0, Int(sent))...])
            let write = unsafe InFlightWrite(stream: self, copying: rest)
            inFlight = write
            write.start()
        }
    }

    fileprivate func didWrite(_ status: Int32) {
        sentBytes += UInt64(inFlight?.count ?? 0)
        inFlight = nil
        guard !isClosed else { return }
        guard status == 0 else {
            fail(.network(NetworkError(code: status)))
            return
        }
        isDrainAwaited = true
        flush()
    }

    // MARK: Ending

    /// Closes after all output is written: sends the end, then waits up to `linger` for the peer's end.
    ///
    /// Closing with unread input would send a reset, which may discard the last bytes at the peer (RFC 9112, section
    /// 9.6).
    ///
    /// Received bytes are dropped from this call on.
    package func finish(linger: Duration = .seconds(2)) {
        guard !isClosed, finishing == nil else { return }
        finishing = .afterWriting(linger: linger)
        startReading()
        flushLater()
    }

    private func didFinishWriting() {
        guard case .afterWriting(let linger) = finishing, output.isEmpty, !isClosed else { return }
        sealEnd()
        guard inFlight == nil, !isClosed else { return }
        guard !hasReachedEnd else { return close() }
        finishing = .lingering(loop.schedule(after: linger) { [weak self] in self?.close() })
        let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
        let status = unsafe uv_shutdown(request, uvStream) { request, _ in unsafe request?.deallocate() }
        if status != 0 {
            unsafe request.deallocate()
            close()
        }
    }

    /// Sends the security layer's end first: without it the peer cannot tell the end from truncation (RFC 8446,
    /// section 6.1).
    private func sealEnd() {
        guard let filter, !hasSealedEnd else { return }
        hasSealedEnd = true
        var sealed = loop.core.takeBuffer()
        filter.sealEnd(into: &sealed)
        send(sealed)
        loop.core.recycle(&sealed)
    }

    private func fail(_ failure: StreamFailure) {
        guard !isClosed else { return }
        self.failure = failure
        close()
    }

    override func willClose() {
        if case .lingering(let timer) = finishing { timer.close() }
        loop.core.recycle(&output)
        filter = nil
        let delegate = delegate
        self.delegate = nil
        delegate?.streamDidClose(failure)
    }
}

/// A pending write of libuv and the memory that it reads.
///
/// Safety: `@safe` because both allocations live as long as the object, and libuv holds a reference while it uses them.
@safe private final class InFlightWrite {
    let count: Int
    private let request: UnsafeMutablePointer<uv_write_t>
    private let bytes: UnsafeMutableRawBufferPointer
    private let stream: ByteStream

    init(stream: ByteStream, copying source: UnsafeRawBufferPointer) {
        self.stream = stream
        count = source.count
        unsafe request = .allocate(capacity: 1)
        unsafe bytes = .allocate(byteCount: source.count, alignment: 1)
        unsafe bytes.copyMemory(from: source)
    }

    deinit {
        unsafe request.deallocate()
        unsafe bytes.deallocate()
    }

    func start() {
        // Safety: libuv owns this reference until the callback, which runs exactly once, also on close.
        unsafe request.pointee.data = unsafe Unmanaged.passRetained(self).toOpaque()
        var buffer = unsafe uv_buf_t(of: UnsafeRawBufferPointer(bytes))
        let status = unsafe uv_write(request, stream.uvStream, &buffer, 1) { request, status in
            guard let data = unsafe request?.pointee.data else { return }
            let write = unsafe Unmanaged<InFlightWrite>.fromOpaque(data).takeRetainedValue()
            write.stream.didWrite(status)
        }
        if status != 0 {
            unsafe Unmanaged.passUnretained(self).release()
            stream.didWrite(status)
        }
    }
}

extension uv_buf_t {
    /// Safety: the memory must outlive libuv's use of it; libuv does not write through the pointer of a send.
    @unsafe init(of bytes: UnsafeRawBufferPointer) {
        let base = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
        unsafe self = unsafe uv_buf_init(base, UInt32(bytes.count))
    }
}
