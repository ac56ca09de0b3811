import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("lemma dev", .tags(.system), .serialized, .timeLimit(.minutes(2)))
struct DevelopmentTests {
    /// A `lemma dev` in a folder, ended at the latest with this.
    private final class Development: Sendable {
        let process: ChildProcess
        let log: Log

        init(in folder: TemporaryDirectory, log name: String = "log") throws {
            log = Log(path: "\(folder.path)/\(name)")
            process = try ChildProcess.start(
                ["/usr/bin/env", "-C", folder.path, try Replica.program, "dev"],
                outputPath: log.path,
                environment: [
                    "PATH": "/usr/bin:/bin", "HTTP_PORT": "0", "OPS_PORT": "0", "HTTP_HOST": "127.0.0.1",
                    "OPS_HOST": "127.0.0.1", "LOG_FORMAT": "json",
                ],
            )
        }

        deinit {
            guard process.isRunning else { return }
            process.signal(SIGKILL)
            _ = process.waitForExit(within: .seconds(10))
        }

        func client() throws -> Client {
            let port = try log.port(of: "serving", process)
            try log.wait(for: "all services started", process)
            return Client(port: port)
        }
    }

    private func redisIdentifier(_ folder: TemporaryDirectory) throws -> Int32 {
        let text = Log(path: "\(folder.path)/.lemma/redis/redis.pid").text
        return try #require(Int32(text.filter(\.isNumber)))
    }

    private func postgresIdentifier(_ folder: TemporaryDirectory) throws -> Int32 {
        let text = Log(path: "\(folder.path)/.lemma/postgres/postmaster.pid").text
        return try #require(text.split(separator: "\n").first.flatMap { Int32($0) })
    }

    private func check(_ client: Client) throws {
        let transcript = try client.follow(try client.submit("2x + 3 = 7").streamUrl)
        #expect(transcript.text.contains("**Answer:** \\(x = 2\\)"))
        #expect(transcript.faults.isEmpty)
        #expect(transcript.terminal?.name == "completed")
    }

    @Test("starts its own Redis and PostgreSQL, solves, serves the page, and ends all of it at Ctrl-C with exit code 0")
    func interrupt() async throws {
        try await onOwnThreads {
            let folder = try TemporaryDirectory()
            let development = try Development(in: folder)
            let client = try development.client()
            try check(client)
            let page = try HTTPCall.send("GET", port: client.port, "/")
            #expect(page.status == 200)
            #expect(page["content-type"]?.hasPrefix("text/html") == true)
            let redis = try redisIdentifier(folder)
            #expect(ChildProcess.exists(redis))
            let postgres = try postgresIdentifier(folder)
            #expect(ChildProcess.exists(postgres))
            let status = Log(path: "/proc/\(postgres)/status").text
            #expect(!status.contains("Uid:\t0\t"), "PostgreSQL runs as root")

            // Commands in this folder find its database.
            let users = ["/usr/bin/env", "-C", folder.path, "-i", try Replica.program, "users", "list"]
            try ChildProcess.run(users, outputPath: "\(folder.path)/users")
            #expect(Log(path: "\(folder.path)/users").text == "there are no users\n")

            development.process.signal(SIGINT)
            #expect(development.process.waitForExit(within: .seconds(10)) == .code(0))
            #expect(!ChildProcess.exists(redis))
            #expect(!ChildProcess.exists(postgres))
        }
    }

    @Test("killed, it takes its servers along, and the next start works with the data of the last")
    func kill() async throws {
        try await onOwnThreads {
            let folder = try TemporaryDirectory()
            let first = try Development(in: folder)
            var client = try first.client()
            let submitted = try client.submit("1 + 1")
            let before = try client.follow(submitted.streamUrl)
            let redis = try redisIdentifier(folder)
            let postgres = try postgresIdentifier(folder)
            // The append-only file is synchronized every second, and by the orderly end below at the latest.
            first.process.signal(SIGKILL)
            _ = first.process.waitForExit(within: .seconds(10))
            #expect(try await eventually(within: .seconds(5)) { !ChildProcess.exists(redis) })
            #expect(try await eventually(within: .seconds(10)) { !ChildProcess.exists(postgres) })

            let second = try Development(in: folder, log: "log2")
            client = try second.client()
            try check(client)
            let document = try client.read(submitted.correlationId)
            #expect(document.status == "completed")
            #expect(document.answer == before.text)
            second.process.signal(SIGTERM)
            #expect(second.process.waitForExit(within: .seconds(10)) == .code(0))
        }
    }

    @Test("a second one in the same folder is refused with a clear message, and the first keeps running")
    func second() async throws {
        try await onOwnThreads {
            let folder = try TemporaryDirectory()
            let first = try Development(in: folder)
            let client = try first.client()
            let second = try Development(in: folder, log: "log2")
            #expect(second.process.waitForExit(within: .seconds(10)) == .code(1))
            #expect(second.log.text.contains("another lemma dev is running in this folder"))
            #expect(!second.log.text.contains("Fatal error"))
            try check(client)
        }
    }
}
