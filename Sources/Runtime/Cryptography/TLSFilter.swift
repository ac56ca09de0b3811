internal import COpenSSL
package import EventLoop

/// TLS between a socket and its stream: OpenSSL works on memory only, the stream does the I/O.
///
/// Loop-owned.
///
/// ```
///  handshake ── finished ──► open ── peer's close_notify ──► peer has finished
///      └───────── alert or rejected certificate ──► failed (receive throws)
/// ```
/// Safety: `@safe` because the object owns `ssl` until `deinit`, and `ssl` owns both BIOs.
@safe package final class TLSFilter: StreamFilter {
    private static let recordBytesMax = 16_384

    private let context: TLSContext
    private let ssl: OpaquePointer
    /// Bytes from the socket for OpenSSL; owned by `ssl`.
    private let incoming: OpaquePointer
    /// Bytes of OpenSSL for the socket; owned by `ssl`.
    private let outgoing: OpaquePointer
    private var failure: TLSError?
    package private(set) var peerHasFinished = false

    /// The client's side; the server's certificate must be valid for `host`, a name or a numeric address.
    package convenience init(clientOf host: String, _ context: TLSContext) throws(TLSError) {
        try self.init(context)
        if isNumericAddress(host) {
            guard unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 else {
                throw .fromQueue("cannot verify the address \(host)")
            }
        } else {
            guard unsafe SSL_set1_host(ssl, host) == 1 else { throw .fromQueue("cannot verify the host name \(host)") }
            var name = [CChar](host.utf8.map { CChar(bitPattern: $0) }) + [0]
            unsafe SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), &name)
        }
        unsafe SSL_set_connect_state(ssl)
    }

    /// The server's side.
    package convenience init(server context: TLSContext) throws(TLSError) {
        try self.init(context)
        unsafe SSL_set_accept_state(ssl)
    }

    private init(_ context: TLSContext) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = unsafe SSL_new(context.pointer) else { throw .fromQueue("no TLS connection") }
        guard let incoming = unsafe BIO_new(BIO_s_mem()), let outgoing = unsafe BIO_new(BIO_s_mem()) else {
            preconditionFailure("out of memory for a TLS connection")
        }
        self.context = context
        unsafe self.ssl = unsafe ssl
        unsafe self.incoming = unsafe incoming
        unsafe self.outgoing = unsafe outgoing
        unsafe SSL_set_bio(ssl, incoming, outgoing)
    }

    deinit { unsafe SSL_free(ssl) }

    // MARK: StreamFilter

    package func receive(
        _ bytes: Span<UInt8>,
        deliver: (Span<UInt8>) -> Void,
    ) throws(StreamFilterError) {
        // A memory BIO accepts all bytes; its length is an Int32, and the loop's read buffer is far smaller.
        unsafe bytes.withUnsafeBytes { _ = unsafe BIO_write(incoming, $0.baseAddress, Int32($0.count)) }
        // Safety: OpenSSL writes at most `plain.count` bytes; the span does not outlive the closure.
        unsafe withUnsafeTemporaryAllocation(byteCount: Self.recordBytesMax, alignment: 1) { plain in
            while shakeHands(), !peerHasFinished {
                ERR_clear_error()
                let count = unsafe SSL_read(ssl, plain.baseAddress, Int32(plain.count))
                guard count > 0 else {
                    note(count)
                    return
                }
                unsafe deliver(Span(_unsafeBytes: UnsafeRawBufferPointer(rebasing: plain[..<Int(count)])))
            }
        }
        if let failure { throw StreamFilterError(reason: failure.reason) }
    }

    package func seal(_ plain: inout [UInt8], into sealed: inout [UInt8]) {
        if shakeHands(), !plain.isEmpty {
            unsafe plain.withUnsafeBytes { bytes in
                ERR_clear_error()
                var written = 0
                // A memory BIO accepts all bytes, so a partial write is a failed connection.
                if unsafe SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written) != 1 { note(0) }
            }
            plain.removeAll(keepingCapacity: true)
        }
        takeOutgoing(into: &sealed)
    }

    package func sealEnd(into sealed: inout [UInt8]) {
        if failure == nil, unsafe SSL_is_init_finished(ssl) == 1 {
            ERR_clear_error()
            // 0 is the usual result: close_notify is sent, the peer's has not arrived yet.
            if unsafe SSL_shutdown(ssl) < 0 { _ = drainErrorQueue() }
        }
        takeOutgoing(into: &sealed)
    }

    // MARK: OpenSSL

    /// True once the handshake is complete; otherwise continues it as far as the received bytes allow.
    private func shakeHands() -> Bool {
        guard failure == nil else { return false }
        if unsafe SSL_is_init_finished(ssl) == 1 { return true }
        ERR_clear_error()
        let status = unsafe SSL_do_handshake(ssl)
        if status == 1 { return true }
        note(status)
        return false
    }

    /// Handles the result of an unsuccessful call: it waits for bytes, is the peer's end, or is a failure.
    private func note(_ status: Int32) {
        switch unsafe SSL_get_error(ssl, status) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
        case SSL_ERROR_ZERO_RETURN: peerHasFinished = true
        default:
            let verification = unsafe SSL_get_verify_result(ssl)
            if verification == X509_V_OK {
                failure = .fromQueue("TLS")
            } else {
                _ = drainErrorQueue()
                failure = TLSError(
                    reason: unsafe "certificate: \(String(cString: X509_verify_cert_error_string(verification)))"
                )
            }
        }
    }

    private func takeOutgoing(into sealed: inout [UInt8]) {
        let waiting = unsafe BIO_ctrl_pending(outgoing)
        guard waiting > 0 else { return }
        let start = sealed.count
        sealed.append(contentsOf: repeatElement(0, count: waiting))
        unsafe sealed.withUnsafeMutableBytes { bytes in
            var read = 0
            // Safety: the array has `waiting` bytes after `start`.
            unsafe BIO_read_ex(outgoing, bytes.baseAddress?.advanced(by: start), waiting, &read)
        }
    }
}

private func isNumericAddress(_ host: String) -> Bool {
    guard let address = unsafe a2i_IPADDRESS(host) else {
        _ = drainErrorQueue()
        return false
    }
    unsafe ASN1_OCTET_STRING_free(address)
    return true
}
