import EventLoop
import Glibc
import HTTPClient
import TestSupport
import Testing

/// nginx as a server of HTTP/2 before one of the test's own, which sees what comes through.
private final class SecureFront {
    private static let prefix = "daemon off; master_process off; error_log stderr;"

    let port: Int
    let certificate: TestCertificate
    private let process: ChildProcess
    private let folder: TemporaryDirectory

    /// Starts before the server on `backend` and returns when it listens; blocks.
    init(before backend: Int) throws {
        folder = try TemporaryDirectory()
        certificate = try TestCertificate()
        port = try LoopbackSocket.freePort()
        let path = folder.path
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(path)/\($0);" }
        let configuration = """
            pid \(path)/pid;
            events {}
            http {
              access_log off;
              \(temporary.joined(separator: " "))
              server {
                listen 127.0.0.1:\(port) ssl http2;
                ssl_certificate \(certificate.certificateFile);
                ssl_certificate_key \(certificate.keyFile);
                location / {
                  proxy_pass http://127.0.0.1:\(backend);
                  proxy_buffering off;
                  proxy_read_timeout 600s;
                  add_header X-Connection $connection;
                  add_header X-Protocol $server_protocol;
                }
              }
            }
            """
        let file = "\(path)/nginx.conf"
        guard let handle = unsafe fopen(file, "w") else { throw ChildProcessError(description: "no file \(file)") }
        unsafe fputs(configuration, handle)
        unsafe fclose(handle)
        let command = ["/usr/sbin/nginx", "-c", file, "-e", "stderr", "-g", Self.prefix]
        process = try ChildProcess.start(command, outputPath: "\(path)/log")
    }

    func stop() {
        process.signal(SIGKILL)
        process.wait()
    }
}

@Suite("HTTP client: HTTP/2", .tags(.integration))
struct SecondVersionTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    private static let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"

    /// Waits until the front answers, and gives what it said.
    private static func firstResponse(
        _ transport: HTTPTransport,
        _ request: HTTPClientRequest
    ) async throws
        -> HTTPClientResponse
    {
        for _ in 0..<2000 {
            if let (head, _) = try? await transport.collect(request) { return head }
            try await transport.loop.sleep(for: .milliseconds(5))
        }
        throw NeverHappened(what: "an answer of the front")
    }

    @Test("A connection serves one request after the other, and a cancelled request ends its connection")
    func reuseAndCancellation() async throws {
        try await onLoop { loop in
            var answer = Self.answer
            let server = try await RawServer(on: loop) { $0.send(answer) }
            let front = try SecureFront(before: server.port)
            defer { front.stop() }
            var options = HTTPTransportOptions()
            options.certificateAuthorityFile = front.certificate.authorityFile
            let transport = HTTPTransport(on: loop, options: options)
            defer { transport.close() }
            var request = HTTPClientRequest("GET", "https://localhost:\(front.port)/")
            request.proxy = .none
            let first = try await Self.firstResponse(transport, request)
            #expect(first["x-protocol"] == "HTTP/2.0")
            let second = try await transport.collect(request).response
            #expect(second["x-connection"] == first["x-connection"], "the same connection")

            // Two at once are on two connections: the end of one must not be the end of the other.
            answer = Self.stream
            var heads: [HTTPClientResponse] = []
            var results: [HTTPClientError] = []
            let before = server.connections.count
            let tasks = (0..<2).map { _ in
                loop.spawn {
                    do throws(HTTPClientError) {
                        try await transport.perform(request) { head in
                            heads.append(head)
                            return .proceed
                        } onBody: { _ in
                            .proceed
                        }
                    } catch {
                        results.append(error)
                    }
                }
            }
            try await eventually("both stream", on: loop) { heads.count == 2 }
            #expect(Set(heads.map { $0["x-connection"] }).count == 2)
            tasks[0].cancel()
            try await eventually("the server sees one end", on: loop) {
                server.connections.dropFirst(before).filter(\.isClosed).count == 1
            }
            #expect(results == [.cancelled])
            tasks[1].cancel()
            try await eventually("the server sees the other", on: loop) {
                server.connections.dropFirst(before).allSatisfy(\.isClosed)
            }
            answer = Self.answer
            let last = try await transport.collect(request).response
            #expect(!heads.contains { $0["x-connection"] == last["x-connection"] }, "a new connection")
        }
    }
}
