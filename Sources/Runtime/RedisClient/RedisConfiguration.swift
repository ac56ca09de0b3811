package import Cryptography

/// How to reach Redis, and the limits of a client.
package struct RedisConfiguration: Sendable {
    package var url: RedisURL
    /// Shown by CLIENT LIST.
    package var clientName: String?
    /// Used for `rediss://` only.
    package var tls: TLSContext?
    /// Limit of connecting to one address, and again of the handshake (TLS, AUTH, SELECT).
    package var connectLimit = Duration.seconds(2)
    /// How long a command may wait for a connection before it fails with ``RedisError/notConnected(reason:)``.
    package var waitLimit = Duration.milliseconds(500)
    /// Commands without a reply, sent or waiting, above which a command fails with ``RedisError/overloaded``.
    package var pendingCommandsMax = 100_000
    /// Bytes that wait for the kernel or for a connection, above which a command fails with ``RedisError/overloaded``.
    package var pendingBytesMax = 64 << 20
    /// Upper bounds of the first and the longest random pause between two attempts to connect.
    package var backoff = Duration.milliseconds(50)...Duration.seconds(2)
    /// How often a subscriber checks that its connection is alive.
    package var pingPeriod = Duration.seconds(1)
    /// How long Redis may be silent to a subscriber's PING.
    package var pingDeadline = Duration.seconds(1)

    /// With `rediss://` and no `tls`, trusts the system's certificate authorities.
    package init(url: RedisURL, clientName: String? = nil, tls: TLSContext? = nil) throws(TLSError) {
        self.url = url
        self.clientName = clientName
        self.tls = tls
        if url.usesTLS, tls == nil { self.tls = try TLSContext.client() }
    }
}
