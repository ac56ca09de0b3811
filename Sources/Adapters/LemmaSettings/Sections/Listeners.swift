internal import Settings

extension Configuration {
    /// The public listener.
    package struct HTTP: Sendable {
        /// `HTTP_HOST`.
        package var host: String
        /// `HTTP_PORT`; 0 lets the system choose.
        package var port: Int
        /// `HTTP_TLS_CERT`, a path; set exactly when the key is.
        package var tlsCertificate: String?
        /// `HTTP_TLS_KEY`, a path.
        package var tlsKey: String?
    }
}

extension Configuration.HTTP {
    init(_ reader: SettingReader) {
        host = reader.value("HTTP_HOST", .host, default: "0.0.0.0", "Address of the public listener.")
        port = reader.value(
            "HTTP_PORT",
            .integer(0...65_535),
            default: "8080",
            "Port of the public listener; `0` lets the system choose."
        )
        tlsCertificate = reader.optional(
            "HTTP_TLS_CERT",
            .text,
            "File with the certificate chain (PEM); with the key, the public listener serves TLS."
        )
        tlsKey = reader.optional("HTTP_TLS_KEY", .text, "File with the private key (PEM) of the certificate.")
    }
}

extension Configuration {
    /// The operations listener.
    package struct Ops: Sendable {
        /// `OPS_HOST`.
        package var host: String
        /// `OPS_PORT`; 0 lets the system choose.
        package var port: Int
    }
}

extension Configuration.Ops {
    init(_ reader: SettingReader) {
        host = reader.value(
            "OPS_HOST",
            .host,
            default: "0.0.0.0",
            "Address of the health and metrics listener, of API and worker alike."
        )
        port = reader.value(
            "OPS_PORT",
            .integer(0...65_535),
            default: "9090",
            "Port of the health and metrics listener; `0` lets the system choose."
        )
    }
}
