/// A certificate authority of one test, and its server certificate for `localhost` and 127.0.0.1.
package struct TestCertificate: Sendable {
    private let directory: TemporaryDirectory

    package var authorityFile: String { "\(directory.path)/ca.pem" }
    package var authorityKeyFile: String { "\(directory.path)/ca.key" }
    package var certificateFile: String { "\(directory.path)/server.pem" }
    package var keyFile: String { "\(directory.path)/server.key" }

    /// An `expired` certificate was never valid.
    package init(names: String = "DNS:localhost,IP:127.0.0.1", expired: Bool = false) throws {
        directory = try TemporaryDirectory()
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        let path = directory.path
        try ChildProcess.run(
            [
                "openssl", "req", "-x509", "-subj", "/CN=Test authority", "-keyout", "\(path)/ca.key", "-out",
                authorityFile,
            ]
                + key
        )
        try ChildProcess.run(
            ["openssl", "req", "-x509", "-CA", authorityFile, "-CAkey", "\(path)/ca.key", "-subj", "/CN=Test server"]
                + ["-addext", "subjectAltName=\(names)", "-addext", "basicConstraints=critical,CA:FALSE"]
                + ["-keyout", keyFile, "-out", certificateFile] + key
        )
        // Only this command accepts a period in the past.
        guard expired else { return }
        let request = ["openssl", "x509", "-x509toreq", "-copy_extensions", "copyall", "-in", certificateFile]
        try ChildProcess.run(request + ["-signkey", keyFile, "-out", "\(path)/server.csr"])
        try ChildProcess.run(
            ["openssl", "x509", "-req", "-in", "\(path)/server.csr", "-copy_extensions", "copyall", "-days", "-1"]
                + ["-CA", authorityFile, "-CAkey", "\(path)/ca.key", "-out", certificateFile]
        )
    }
}
