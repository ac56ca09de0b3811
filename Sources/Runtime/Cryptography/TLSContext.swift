internal import COpenSSL

/// The settings that TLS connections share: whom to trust, or who we are.
///
/// TLS 1.2 or later only.
///
/// Safety: `@unchecked Sendable` because the context is complete before anyone else sees it and is never changed after
/// that; OpenSSL counts its references atomically.
package final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    private init() throws(TLSError) {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(TLS_method()) else { throw .fromQueue("no TLS context") }
        self.pointer = pointer
        // The C header has macros for these, which Swift does not import.
        SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS), nil)
        SSL_CTX_set_options(pointer, Self.noCompression | Self.noRenegotiation)
    }

    /// SSL_OP_NO_COMPRESSION and SSL_OP_NO_RENEGOTIATION, which are macros in C.
    private static let noCompression: UInt64 = 1 << 17
    private static let noRenegotiation: UInt64 = 1 << 30

    deinit { SSL_CTX_free(pointer) }

    /// A client that trusts the system's certificate authorities, or only those of a PEM file.
    ///
    /// Certificate and host name are always verified.
    package static func client(certificateAuthorityFile file: String? = nil) throws(TLSError) -> TLSContext {
        let context = try TLSContext()
        SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        if let file {
            guard SSL_CTX_load_verify_file(context.pointer, file) == 1 else {
                throw .fromQueue("cannot read certificate authorities from \(file)")
            }
        } else {
            guard SSL_CTX_set_default_verify_paths(context.pointer) == 1 else {
                throw .fromQueue("cannot read the system's certificate authorities")
            }
        }
        return context
    }

    /// A server with a certificate chain and its private key, both PEM files.
    package static func server(certificateFile: String, keyFile: String) throws(TLSError) -> TLSContext {
        let context = try TLSContext()
        guard SSL_CTX_use_certificate_chain_file(context.pointer, certificateFile) == 1 else {
            throw .fromQueue("cannot use the certificate in \(certificateFile)")
        }
        guard SSL_CTX_use_PrivateKey_file(context.pointer, keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw .fromQueue("cannot use the private key in \(keyFile)")
        }
        guard SSL_CTX_check_private_key(context.pointer) == 1 else {
            throw .fromQueue("the private key in \(keyFile) does not belong to the certificate")
        }
        return context
    }
}
