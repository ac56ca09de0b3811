internal import CUV

/// What the owner of a ``ByteStream`` hears from it, on the loop's thread.
///
/// The stream holds its delegate from the assignment until it has closed, and lets go of it then.
package protocol ByteStreamDelegate: AnyObject {
    /// Bytes arrived. They are valid during the call only.
    func streamDidRead(_ bytes: UnsafeRawBufferPointer)
    /// The peer will send no more; the stream can still be written to.
    func streamDidReachEnd()
    /// What had to wait for the peer has all been handed to the kernel. When nothing had to wait it is only called after
    /// ``ByteStream/awaitDrain()``.
    func streamDidDrain()
    /// The stream is closed, by either side; nothing else follows. `failure` is nil after ``ByteStream/close()``.
    func streamDidClose(_ failure: StreamFailure?)
}

/// Why a stream closed by itself.
package enum StreamFailure: Error, Equatable {
    /// The operating system reported an error.
    case network(NetworkError)
    /// The security layer refused the peer or its bytes; the text names the cause and no secret.
    case security(String)
}

/// A connected TCP or Unix-domain socket on a loop.
///
/// Writes gather in memory and leave in one system call when the turn flushes; ``pendingBytes`` tells how much waits.
/// There is no limit here: who writes must look at ``pendingBytes`` and stop. Loop-owned.
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
        /// Close once everything is written, after at most this long of waiting for the peer's end.
        case afterWriting(linger: Duration)
        case lingering(LoopTimer)
    }

    init(loop: Loop, type: uv_handle_type) throws(NetworkError) {
        super.init(on: loop, handle: type)
        switch type {
        case UV_TCP: try check(uv_tcp_init(loop.core.uv, pointer(as: uv_tcp_t.self)))
        default: try check(uv_pipe_init(loop.core.uv, pointer(as: uv_pipe_t.self), 0))
        }
        adopt()
    }

    /// Takes over a connected TCP socket; the descriptor belongs to the stream from now on, also when this throws.
    package convenience init(adoptingTCP descriptor: Int32, on loop: Loop) throws(NetworkError) {
        do {
            try self.init(loop: loop, type: UV_TCP)
        } catch {
            closeDescriptor(descriptor)
            throw error
        }
        let status = uv_tcp_open(pointer(as: uv_tcp_t.self), descriptor)
        guard status == 0 else {
            closeDescriptor(descriptor)
            close()
            throw NetworkError(code: status)
        }
        disableNagle()
    }

    var uvStream: UnsafeMutablePointer<uv_stream_t> { pointer(as: uv_stream_t.self) }

    /// Sends every flush at once instead of waiting for the acknowledgement of the one before (RFC 896 does).
    func disableNagle() { uv_tcp_nodelay(pointer(as: uv_tcp_t.self), 1) }

    /// Puts a security layer between the socket and the delegate, before anything was read or written.
    ///
    /// What is written meanwhile waits until the layer's handshake is over.
    package func install(_ filter: any StreamFilter) {
        precondition(self.filter == nil && output.isEmpty, "a security layer comes before the first byte")
        self.filter = filter
        flushLater()
    }

    // MARK: Reading

    /// Delivers what arrives to the delegate, from now on.
    package func startReading() {
        guard !isClosed, !isReading, !hasReachedEnd else { return }
        isReading = true
        uv_read_start(
            uvStream,
            { handle, _, buffer in
                // Safety: one buffer for all streams of the loop; libuv reads into it and calls back at once.
                buffer?.pointee = ByteStream.of(handle, as: ByteStream.self).loop.core.readBuffer
            },
            { handle, count, buffer in
                ByteStream.of(handle, as: ByteStream.self).didRead(count, buffer?.pointee.base)
            },
        )
    }

    /// Leaves further bytes in the kernel, so that the peer feels it.
    ///
    /// The peer's end goes unnoticed meanwhile.
    package func stopReading() {
        guard isReading, !isClosed else { return }
        isReading = false
        uv_read_stop(uvStream)
    }

    private func didRead(_ count: Int, _ base: UnsafeMutablePointer<CChar>?) {
        if count > 0 {
            receive(UnsafeRawBufferPointer(start: base, count: count))
        } else if count == Int(UV_EOF.rawValue) {
            didReachEnd()
        } else if count < 0 {
            fail(.network(NetworkError(code: Int32(count))))
        }
    }

    /// With a security layer the end comes twice: in its words, then from the socket.
    ///
    /// The delegate hears it once.
    private func didReachEnd() {
        switch finishing {
        case nil: if !hasReachedEnd { delegate?.streamDidReachEnd() }
        case .afterWriting: break
        case .lingering: close()
        }
        hasReachedEnd = true
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
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
            flush()  // The alert that tells the peer why.
            fail(.security(error.reason))
        }
    }

    // MARK: Writing

    /// Bytes that the kernel has not taken yet.
    package var pendingBytes: Int { output.count + inFlightBytes }

    /// Bytes that the kernel has taken since the stream was opened.
    ///
    /// What is beyond them has certainly not reached the peer; what is below may have.
    package var takenBytes: UInt64 { sentBytes + UInt64((inFlight?.count ?? 0) - inFlightBytes) }

    /// Bytes that the peer's side has acknowledged since the stream was opened.
    ///
    /// What does not grow while ``pendingBytes`` is above zero is a peer that does not read. The kernel's own buffer
    /// would hide for megabytes whether it does, so this asks for its filling, at the price of a system call.
    package var acknowledgedBytes: UInt64 {
        let taken = takenBytes
        return taken - min(taken, UInt64(unacknowledgedBytes))
    }

    /// What libuv still has to write of the write in flight, which the kernel may have taken in part.
    private var inFlightBytes: Int { inFlight == nil ? 0 : uvStream.pointee.write_queue_size }

    /// Queues bytes for the flush at the end of this turn.
    ///
    /// Ignored on a closed or finishing stream.
    package func write(_ bytes: UnsafeRawBufferPointer) {
        write { $0.append(contentsOf: bytes) }
    }

    /// Queues bytes for the flush at the end of this turn.
    ///
    /// Ignored on a closed or finishing stream.
    package func write(_ bytes: [UInt8]) {
        write { $0.append(contentsOf: bytes) }
    }

    /// Lets `body` append to the output in place, for the flush at the end of this turn.
    ///
    /// `body` may use the stream, but what it writes there comes after what it appends, and ``pendingBytes`` leaves out
    /// what was there before.
    package func write(_ body: (inout [UInt8]) -> Void) {
        loop.assertCurrent()
        guard !isClosed, finishing == nil else { return }
        // Taken out of `self` meanwhile, or a `body` that looks at the stream would break the law of exclusivity.
        var bytes: [UInt8] = []
        swap(&bytes, &output)
        if bytes.capacity == 0 { bytes = loop.core.takeBuffer() }
        body(&bytes)
        guard !isClosed else { return loop.core.recycle(&bytes) }
        swap(&bytes, &output)
        if !bytes.isEmpty { output += bytes }
        flushLater()
    }

    /// Calls ``ByteStreamDelegate/streamDidDrain()`` once when nothing waits any more, also when the next flush finds the
    /// kernel ready and nothing has to wait at all.
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

    /// Gives the kernel what it takes now and queues the rest with libuv.
    private func send(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        bytes.withUnsafeBytes { bytes in
            var buffer = uv_buf_t(of: bytes)
            let sent = uv_try_write(uvStream, &buffer, 1)
            if sent > 0 { sentBytes += UInt64(sent) }
            if sent == bytes.count { return }
            guard sent >= 0 || sent == UV_EAGAIN.rawValue else {
                fail(.network(NetworkError(code: sent)))
                return
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[max(0, Int(sent))...])
            let write = InFlightWrite(stream: self, copying: rest)
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

    /// Closes after everything queued is written: sends the end, then waits up to `linger` for the peer's own, so that
    /// unread input does not turn the last bytes into a reset (RFC 9112, section 9.6).
    ///
    /// Nothing more is delivered.
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
        let status = uv_shutdown(request, uvStream) { request, _ in request?.deallocate() }
        if status != 0 {
            request.deallocate()
            close()
        }
    }

    /// A security layer says goodbye first, or its peer cannot tell the end from a cut (RFC 8446, section 6.1).
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

/// Bytes that libuv still has to write, and the memory they live in until it has.
private final class InFlightWrite {
    let count: Int
    private let request: UnsafeMutablePointer<uv_write_t>
    private let bytes: UnsafeMutableRawBufferPointer
    private let stream: ByteStream

    init(stream: ByteStream, copying source: UnsafeRawBufferPointer) {
        self.stream = stream
        count = source.count
        request = .allocate(capacity: 1)
        bytes = .allocate(byteCount: source.count, alignment: 1)
        bytes.copyMemory(from: source)
    }

    deinit {
        request.deallocate()
        bytes.deallocate()
    }

    func start() {
        // Safety: libuv owns this reference until the callback, which it calls exactly once, also on close.
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        var buffer = uv_buf_t(of: UnsafeRawBufferPointer(bytes))
        let status = uv_write(request, stream.uvStream, &buffer, 1) { request, status in
            guard let data = request?.pointee.data else { return }
            let write = Unmanaged<InFlightWrite>.fromOpaque(data).takeRetainedValue()
            write.stream.didWrite(status)
        }
        if status != 0 {
            Unmanaged.passUnretained(self).release()
            stream.didWrite(status)
        }
    }
}

extension uv_buf_t {
    /// Safety: the memory must stay until libuv is done with it; libuv does not write through it on the send side.
    init(of bytes: UnsafeRawBufferPointer) {
        let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
        self = uv_buf_init(base, UInt32(bytes.count))
    }
}
