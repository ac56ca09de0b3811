internal import COpenSSL
package import EventLoop

/// TLS between a socket and its stream: OpenSSL works on memory only, the stream does the I/O.
///
/// Loop-owned.
///
/// ```
///  handshake ── finished ──► open ── peer's close_notify ──► peer has finished
///      └────────── alert or refused certificate ──► broken (receive throws)
/// ```
package final class TLSFilter: StreamFilter {
    private static let recordBytesMax = 16_384

    private let context: TLSContext
    private let ssl: OpaquePointer
    /// What came from the socket, for OpenSSL to read; owned by `ssl`.
    private let incoming: OpaquePointer
    /// What OpenSSL wants on the socket; owned by `ssl`.
    private let outgoing: OpaquePointer
    private var failure: TLSError?
    package private(set) var peerHasFinished = false

    /// The client's side; `host` is the name or numeric address that the server's certificate must carry.
    package convenience init(clientOf host: String, _ context: TLSContext) throws(TLSError) {
        try self.init(context)
        if isNumericAddress(host) {
            guard X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 else {
                throw .fromQueue("cannot verify the address \(host)")
            }
        } else {
            guard SSL_set1_host(ssl, host) == 1 else { throw .fromQueue("cannot verify the host name \(host)") }
            var name = [CChar](host.utf8.map { CChar(bitPattern: $0) }) + [0]
            SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), &name)
        }
        SSL_set_connect_state(ssl)
    }

    /// The server's side.
    package convenience init(server context: TLSContext) throws(TLSError) {
        try self.init(context)
        SSL_set_accept_state(ssl)
    }

    private init(_ context: TLSContext) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else { throw .fromQueue("no TLS connection") }
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            preconditionFailure("out of memory for a TLS connection")
        }
        self.context = context
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        SSL_set_bio(ssl, incoming, outgoing)
    }

    deinit { SSL_free(ssl) }

    // MARK: StreamFilter

    package func receive(
        _ bytes: UnsafeRawBufferPointer,
        deliver: (UnsafeRawBufferPointer) -> Void,
    ) throws(StreamFilterError) {
        // A memory BIO takes everything; its length is an Int32, and the loop's read buffer is far smaller.
        BIO_write(incoming, bytes.baseAddress, Int32(bytes.count))
        // Safety: the buffer lives during the closure, and `deliver` promises its bytes for the call only.
        withUnsafeTemporaryAllocation(byteCount: Self.recordBytesMax, alignment: 1) { plain in
            while shakeHands(), !peerHasFinished {
                ERR_clear_error()
                let count = SSL_read(ssl, plain.baseAddress, Int32(plain.count))
                guard count > 0 else {
                    note(count)
                    return
                }
                deliver(UnsafeRawBufferPointer(rebasing: plain[..<Int(count)]))
            }
        }
        if let failure { throw StreamFilterError(reason: failure.reason) }
    }

    package func seal(_ plain: inout [UInt8], into sealed: inout [UInt8]) {
        if shakeHands(), !plain.isEmpty {
            plain.withUnsafeBytes { bytes in
                ERR_clear_error()
                var written = 0
                // A memory BIO takes everything, so anything short of all is a broken connection.
                if SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written) != 1 { note(0) }
            }
            plain.removeAll(keepingCapacity: true)
        }
        takeOutgoing(into: &sealed)
    }

    package func sealEnd(into sealed: inout [UInt8]) {
        if failure == nil, SSL_is_init_finished(ssl) == 1 {
            ERR_clear_error()
            // 0 is the usual answer: our words are said, the peer's are not heard yet.
            if SSL_shutdown(ssl) < 0 { _ = drainErrorQueue() }
        }
        takeOutgoing(into: &sealed)
    }

    // MARK: OpenSSL

    /// True once the handshake is over; otherwise goes on with it as far as the peer's bytes allow.
    private func shakeHands() -> Bool {
        guard failure == nil else { return false }
        if SSL_is_init_finished(ssl) == 1 { return true }
        ERR_clear_error()
        let status = SSL_do_handshake(ssl)
        if status == 1 { return true }
        note(status)
        return false
    }

    /// Sorts the answer of a call that did not succeed into waiting, the peer's end and failure.
    private func note(_ status: Int32) {
        switch SSL_get_error(ssl, status) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
        case SSL_ERROR_ZERO_RETURN: peerHasFinished = true
        default:
            let verification = SSL_get_verify_result(ssl)
            if verification == X509_V_OK {
                failure = .fromQueue("TLS")
            } else {
                _ = drainErrorQueue()
                failure = TLSError(
                    reason: "certificate: \(String(cString: X509_verify_cert_error_string(verification)))"
                )
            }
        }
    }

    private func takeOutgoing(into sealed: inout [UInt8]) {
        let waiting = BIO_ctrl_pending(outgoing)
        guard waiting > 0 else { return }
        let start = sealed.count
        sealed.append(contentsOf: repeatElement(0, count: waiting))
        sealed.withUnsafeMutableBytes { bytes in
            var read = 0
            // Safety: exactly `waiting` bytes were made room for behind `start`.
            BIO_read_ex(outgoing, bytes.baseAddress?.advanced(by: start), waiting, &read)
        }
    }
}

private func isNumericAddress(_ host: String) -> Bool {
    guard let address = a2i_IPADDRESS(host) else {
        _ = drainErrorQueue()
        return false
    }
    ASN1_OCTET_STRING_free(address)
    return true
}
