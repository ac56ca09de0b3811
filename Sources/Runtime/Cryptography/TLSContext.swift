internal import COpenSSL

/// The settings that TLS connections share: the trusted authorities and the own certificate.
///
/// TLS 1.2 or later only.
///
/// Safety: `@unchecked Sendable` because the context does not change after `init`; OpenSSL counts its references
/// atomically. `@safe` because the object owns one reference to the context until `deinit`.
@safe package final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    /// A certificate chain and its private key, both PEM files.
    package struct Identity: Sendable {
        package let certificateFile: String
        package let keyFile: String

        package init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    private init() throws(TLSError) {
        ERR_clear_error()
        guard let pointer = unsafe SSL_CTX_new(TLS_method()) else { throw .fromQueue("no TLS context") }
        unsafe self.pointer = unsafe pointer
        // The C header defines these as macros, which Swift does not import.
        unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        unsafe SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS), nil)
        unsafe SSL_CTX_set_options(pointer, Self.noCompression | Self.noRenegotiation)
    }

    /// `SSL_OP_NO_COMPRESSION`, `SSL_OP_CIPHER_SERVER_PREFERENCE` and `SSL_OP_NO_RENEGOTIATION`, which are macros in C.
    private static let noCompression: UInt64 = 1 << 17
    private static let serverPreference: UInt64 = 1 << 22
    private static let noRenegotiation: UInt64 = 1 << 30

    deinit { unsafe SSL_CTX_free(pointer) }

    /// A client context that trusts the system's certificate authorities, or only those of a PEM file.
    ///
    /// Certificate and host name are always verified. `identity` is the client certificate for servers that request one.
    package static func client(
        trusting file: String? = nil,
        as identity: Identity? = nil
    ) throws(TLSError) -> TLSContext {
        let context = try TLSContext()
        unsafe SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        if let file {
            guard unsafe SSL_CTX_load_verify_file(context.pointer, file) == 1 else {
                throw .fromQueue("cannot read certificate authorities from \(file)")
            }
        } else {
            guard unsafe SSL_CTX_set_default_verify_paths(context.pointer) == 1 else {
                throw .fromQueue("cannot read the system's certificate authorities")
            }
        }
        if let identity { try context.use(identity) }
        return context
    }

    /// Ciphers of TLS 1.2: forward secret and authenticated encryption only (RFC 9325, section 4.2).
    ///
    /// Those of TLS 1.3 all are.
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

    /// A server context with a certificate chain and its private key, both PEM files.
    package static func server(certificateFile: String, keyFile: String) throws(TLSError) -> TLSContext {
        let context = try TLSContext()
        guard unsafe SSL_CTX_set_cipher_list(context.pointer, ciphers) == 1 else { throw .fromQueue("no TLS ciphers") }
        unsafe SSL_CTX_set_options(context.pointer, Self.serverPreference)
        try context.use(Identity(certificateFile: certificateFile, keyFile: keyFile))
        return context
    }

    private func use(_ identity: Identity) throws(TLSError) {
        guard unsafe SSL_CTX_use_certificate_chain_file(pointer, identity.certificateFile) == 1 else {
            throw .fromQueue("cannot use the certificate in \(identity.certificateFile)")
        }
        guard unsafe SSL_CTX_use_PrivateKey_file(pointer, identity.keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw .fromQueue("cannot use the private key in \(identity.keyFile)")
        }
        guard unsafe SSL_CTX_check_private_key(pointer) == 1 else {
            throw .fromQueue("the private key in \(identity.keyFile) does not belong to the certificate")
        }
    }
}
