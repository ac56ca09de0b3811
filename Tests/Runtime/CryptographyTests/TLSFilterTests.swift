import Cryptography
import EventLoop
import TestSupport
import Testing
import Text

@Suite("TLS on streams", .tags(.integration))
struct TLSFilterTests {
    @Test("megabytes pass both ways and the end arrives in order")
    func echo() async throws {
        let certificate = try TestCertificate()
        try await onLoop { loop in
            let listener = try await EchoServer.start(certificate, on: loop)
            defer { listener.close() }
            let (stream, filter) = try await connect(listener.port, "localhost", certificate, loop)
            let collector = Collector()
            stream.delegate = collector
            stream.startReading()
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            stream.write(bytes)
            try await eventually("the echo", on: loop) { collector.bytes.count == bytes.count }
            #expect(collector.bytes == bytes)
            stream.write(EchoServer.farewell)
            try await eventually("the server's end", on: loop) { collector.ends == 1 }
            #expect(filter.peerHasFinished)
            stream.finish()
            try await eventually("our end", on: loop) { stream.isClosed }
            #expect(collector.failure == nil && collector.ends == 1)
        }
    }

    @Test("a server with an untrusted certificate or another name is rejected before a byte is sent")
    func refusals() async throws {
        let certificate = try TestCertificate()
        let stranger = try TestCertificate()
        try await onLoop { loop in
            let listener = try await EchoServer.start(certificate, on: loop)
            defer { listener.close() }
            let cases = [
                ("localhost", stranger, "certificate: unable to get local issuer certificate"),
                ("example.org", certificate, "certificate: hostname mismatch"),
                ("127.0.0.2", certificate, "certificate: IP address mismatch"),
            ]
            for (host, trusted, reason) in cases {
                let (stream, _) = try await connect(listener.port, host, trusted, loop)
                let collector = Collector()
                stream.delegate = collector
                stream.startReading()
                stream.write(Array("secret".utf8))
                try await eventually("the refusal", on: loop) { collector.failure != nil }
                #expect(collector.failure == .security(reason))
                #expect(collector.bytes.isEmpty)
            }
        }
    }

    @Test("OpenSSL's own client gets in with TLS 1.2 and 1.3 and not with 1.1")
    func versions() async throws {
        let certificate = try TestCertificate()
        try await onLoop { loop in
            let listener = try await EchoServer.start(certificate, on: loop)
            defer { listener.close() }
            for (version, isAccepted) in [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false)] {
                let client = try ChildProcess.start(
                    ["openssl", "s_client", "-connect", "127.0.0.1:\(listener.port)", "-verify_return_error", version]
                        + ["-CAfile", certificate.authorityFile, "-cipher", "DEFAULT@SECLEVEL=0"]
                )
                var status: Int32?
                try await eventually("the client's end", on: loop) {
                    status = client.endStatus
                    return status != nil
                }
                #expect((status == 0) == isAccepted, "\(version)")
            }
        }
    }

    @Test("files that are missing or do not belong together are refused with the reason")
    func contexts() throws {
        let one = try TestCertificate()
        let two = try TestCertificate()
        #expect(throws: TLSError.self) { try TLSContext.client(trusting: "/nowhere") }
        #expect(throws: TLSError.self) { try TLSContext.client(trusting: one.keyFile) }
        let error = #expect(throws: TLSError.self) {
            try TLSContext.server(certificateFile: one.certificateFile, keyFile: two.keyFile)
        }
        #expect(error?.reason.contains("key values mismatch") == true)
        _ = try TLSContext.server(certificateFile: one.certificateFile, keyFile: one.keyFile)
    }

    @Test("a server takes ciphers with forward secrecy and authenticated encryption alone")
    func ciphers() async throws {
        let certificate = try TestCertificate()
        try await onLoop { loop in
            let listener = try await EchoServer.start(certificate, on: loop)
            defer { listener.close() }
            let cases = [
                ("ECDHE-ECDSA-AES128-GCM-SHA256", true), ("ECDHE-ECDSA-CHACHA20-POLY1305", true),
                ("ECDHE-ECDSA-AES128-SHA", false), ("ECDHE-ECDSA-AES256-SHA384", false), ("AES128-GCM-SHA256", false),
            ]
            for (cipher, isAccepted) in cases {
                let client = try ChildProcess.start(
                    [
                        "openssl", "s_client", "-connect", "127.0.0.1:\(listener.port)", "-verify_return_error",
                        "-tls1_2",
                    ]
                        + ["-CAfile", certificate.authorityFile, "-cipher", "\(cipher):@SECLEVEL=0"]
                )
                var status: Int32?
                try await eventually("the client's end", on: loop) {
                    status = client.endStatus
                    return status != nil
                }
                #expect((status == 0) == isAccepted, "\(cipher)")
            }
        }
    }

    @Test("a certificate that was replaced serves new connections, those from before go on, bad files change nothing")
    func replaced() async throws {
        let (first, second) = (try TestCertificate(), try TestCertificate())
        let folder = try TemporaryDirectory()
        let identity = TLSContext.Identity(
            certificateFile: "\(folder.path)/server.pem",
            keyFile: "\(folder.path)/server.key",
        )
        @Sendable func install(certificate: String, key: String) throws {
            try ChildProcess.run(["cp", certificate, identity.certificateFile])
            try ChildProcess.run(["cp", key, identity.keyFile])
        }
        try install(certificate: first.certificateFile, key: first.keyFile)
        let current = try ServerCertificate(identity)
        try await onLoop { loop in
            let listener = try await EchoServer.start(on: loop) { try current.makeFilter() }
            defer { listener.close() }
            let early = try await client(listener.port, first, loop)
            let isFirst = try await isEchoed("one", early, loop)
            #expect(isFirst)
            // A file that is half written, and a key of another certificate.
            try install(certificate: first.keyFile, key: first.keyFile)
            #expect(throws: TLSError.self) { try current.reload() }
            try install(certificate: second.certificateFile, key: first.keyFile)
            #expect(throws: TLSError.self) { try current.reload() }
            #expect(try await isEchoed("two", try await client(listener.port, first, loop), loop))
            try install(certificate: second.certificateFile, key: second.keyFile)
            try current.reload()
            #expect(try await isEchoed("three", try await client(listener.port, second, loop), loop))
            #expect(try await !isEchoed("four", try await client(listener.port, first, loop), loop))
            #expect(try await isEchoed("five", early, loop))
        }
    }

    private func client(
        _ port: Int,
        _ trusted: TestCertificate,
        _ loop: isolated Loop
    ) async throws -> (stream: ByteStream, collector: Collector) {
        let (stream, _) = try await connect(port, "localhost", trusted, loop)
        let collector = Collector()
        stream.delegate = collector
        stream.startReading()
        return (stream, collector)
    }

    private func isEchoed(
        _ word: String,
        _ client: (stream: ByteStream, collector: Collector),
        _ loop: isolated Loop
    ) async throws -> Bool {
        let collector = client.collector
        let before = collector.bytes.count
        client.stream.write(Array(word.utf8))
        try await eventually("the echo", on: loop) {
            collector.bytes.count == before + word.utf8.count || collector.failure != nil
        }
        return collector.failure == nil
    }

    private func connect(
        _ port: Int,
        _ host: String,
        _ trusted: TestCertificate,
        _ loop: isolated Loop,
    ) async throws -> (ByteStream, TLSFilter) {
        let context = try TLSContext.client(trusting: trusted.authorityFile)
        let stream = try await ByteStream.connect(
            to: .tcp(host: "127.0.0.1", port: port),
            on: loop,
            within: .seconds(5)
        )
        let filter = try TLSFilter(clientOf: host, context)
        stream.install(filter)
        return (stream, filter)
    }
}

/// Sends back what it gets over TLS, and ends in order after ``farewell``.
private final class EchoServer: ByteStreamDelegate {
    static let farewell = Array("bye".utf8)

    private let stream: ByteStream

    private init(_ stream: ByteStream) { self.stream = stream }

    static func start(_ certificate: TestCertificate, on loop: isolated Loop) async throws -> TCPListener {
        let context = try TLSContext.server(certificateFile: certificate.certificateFile, keyFile: certificate.keyFile)
        return try await start(on: loop) { try TLSFilter(server: context) }
    }

    static func start(
        on loop: isolated Loop,
        _ makeFilter: @escaping @Sendable () throws -> TLSFilter
    ) async throws -> TCPListener {
        let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
        listener.start(on: [loop]) { stream in
            guard let filter = try? makeFilter() else { return stream.close() }
            stream.install(filter)
            stream.delegate = EchoServer(stream)
            stream.startReading()
        }
        return listener
    }

    func streamDidRead(_ bytes: Span<UInt8>) {
        if bytes.elementsEqual(Self.farewell) { stream.finish() } else { stream.write(bytes) }
    }
    func streamDidReachEnd() { stream.close() }
    func streamDidDrain() {}
    func streamDidClose(_ failure: StreamFailure?) {}
}

/// Keeps what a stream delivers.
private final class Collector: ByteStreamDelegate {
    var bytes: [UInt8] = []
    var ends = 0
    var failure: StreamFailure?

    func streamDidRead(_ bytes: Span<UInt8>) { self.bytes.append(copying: bytes) }
    func streamDidReachEnd() { ends += 1 }
    func streamDidDrain() {}
    func streamDidClose(_ failure: StreamFailure?) { self.failure = failure }
}
