import Cryptography
import LemmaSettings
import RedisClient
import Settings

extension RedisConfiguration {
    /// The configuration for `url`, with the certificate files of the settings under TLS.
    init(_ url: RedisURL, _ redis: Configuration.Redis, clientName: String? = nil) throws(TLSError) {
        let tls = url.usesTLS ? try TLSContext.client(trusting: redis.tlsAuthorities, as: redis.identity) : nil
        try self.init(url: url, clientName: clientName, tls: tls)
    }
}

extension Configuration.Redis {
    /// The client's certificate and key; nil without one.
    var identity: TLSContext.Identity? {
        guard let tlsCertificate, let tlsKey else { return nil }
        return TLSContext.Identity(certificateFile: tlsCertificate, keyFile: tlsKey)
    }
}
