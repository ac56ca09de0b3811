import Cryptography
import RedisClient
import Settings

extension RedisConfiguration {
    /// How to reach `url`, with the settings' files where it asks for TLS.
    init(_ url: RedisURL, _ settings: Configuration.Redis, clientName: String? = nil) throws(TLSError) {
        let tls = url.usesTLS ? try TLSContext.client(trusting: settings.tlsAuthorities, as: settings.identity) : nil
        try self.init(url: url, clientName: clientName, tls: tls)
    }
}

extension Configuration.Redis {
    /// The client's certificate and its key, where Redis asks for one.
    var identity: TLSContext.Identity? {
        guard let tlsCertificate, let tlsKey else { return nil }
        return TLSContext.Identity(certificateFile: tlsCertificate, keyFile: tlsKey)
    }
}
