import Cryptography
import LemmaSettings
import RedisClient
import Settings

extension RedisConfiguration {
    /// How to reach `url`, with the files of the settings where it asks for TLS.
    init(_ url: RedisURL, _ redis: Configuration.Redis, clientName: String? = nil) throws(TLSError) {
        let tls = url.usesTLS ? try TLSContext.client(trusting: redis.tlsAuthorities, as: redis.identity) : nil
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
