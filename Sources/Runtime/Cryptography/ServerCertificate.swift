internal import Synchronization

/// The certificate of a server, which is replaced while connections use it.
///
/// A connection keeps the context that it began with, so a replacement breaks none. Safe from any thread.
package final class ServerCertificate: Sendable {
    private let identity: TLSContext.Identity
    private let current: Mutex<TLSContext>

    package init(_ identity: TLSContext.Identity) throws(TLSError) {
        self.identity = identity
        current = Mutex(try Self.read(identity))
    }

    /// Reads the files again; new connections use what they have now.
    ///
    /// After an error all stays as it was. Blocks while it reads.
    package func reload() throws(TLSError) {
        let context = try Self.read(identity)
        current.withLock { $0 = context }
    }

    /// The security layer of a new connection.
    package func makeFilter() throws(TLSError) -> TLSFilter { try TLSFilter(server: current.withLock { $0 }) }

    private static func read(_ identity: TLSContext.Identity) throws(TLSError) -> TLSContext {
        try .server(certificateFile: identity.certificateFile, keyFile: identity.keyFile)
    }
}
