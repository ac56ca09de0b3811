internal import COpenSSL

/// The settings that TLS connections share: whom to trust, or who we are.
///
/// TLS 1.2 or later only.
///
/// Safety: `@unchecked Sendable` because the context is complete before anyone else sees it and is never changed after
/// that; OpenSSL counts its references atomically.
package final class TLSContext: @unchecked Sendable {
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
    /// Certificate and host name are always verified. A server that asks for a certificate gets the `identity`.
    package static func client(
        trusting file: String? = nil,
        as identity: Identity? = nil
    ) throws(TLSError) -> TLSContext {
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
        if let identity { try context.use(identity) }
        return context
    }

    /// A server with a certificate chain and its private key, both PEM files.
    package static func server(certificateFile: String, keyFile: String) throws(TLSError) -> TLSContext {
        let context = try TLSContext()
        try context.use(Identity(certificateFile: certificateFile, keyFile: keyFile))
        return context
    }

    private func use(_ identity: Identity) throws(TLSError) {
        guard SSL_CTX_use_certificate_chain_file(pointer, identity.certificateFile) == 1 else {
            throw .fromQueue("cannot use the certificate in \(identity.certificateFile)")
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, identity.keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw .fromQueue("cannot use the private key in \(identity.keyFile)")
        }
        guard SSL_CTX_check_private_key(pointer) == 1 else {
            throw .fromQueue("the private key in \(identity.keyFile) does not belong to the certificate")
        }
    }
}
