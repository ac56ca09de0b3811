internal import FoundationEssentials
internal import Glibc

/// A real PostgreSQL server on a free port of 127.0.0.1 with a directory of its own.
///
/// It ends, and its files are removed, at the latest with this object or with the test process. It runs as the
/// unprivileged user `postgres` if the test runs as root. Only ``database()`` and ``sql(_:)`` may be called by two
/// tasks at once.
package final class PostgresServer: @unchecked Sendable {
    // Safety: `@unchecked Sendable` because a test passes it to the loop that it runs on; `process` and `guardian`
    // change only in successive calls of one test.

    package struct Options: Sendable {
        /// Serves TLS, and only that to clients on 127.0.0.1.
        package var certificate: TestCertificate?
        /// Further settings, for example `["max_connections": "5"]`.
        package var settings: [String: String] = [:]

        package init() {}
    }

    package let port: Int
    private let options: Options
    private let directory: TemporaryDirectory
    private let owner: PostgresPrograms
    private var process: ChildProcess?
    private var guardian: Guardian?

    private var data: String { "\(directory.path)/data" }

    private init(_ options: Options) throws {
        self.options = options
        directory = try TemporaryDirectory()
        owner = try PostgresPrograms.found.get()
        port = try LoopbackSocket.freePort()
        try ChildProcess.run(["chmod", "711", directory.path])
        try ChildProcess.run(["cp", "-a", try PostgresPrograms.freshCluster.get(), data])
        if let certificate = options.certificate { try install(certificate) }
    }

    deinit { kill() }

    /// One server for all tests of this process that only need a database of their own.
    package static let shared = Result {
        var options = Options()
        options.settings["max_connections"] = "300"
        return try start(options)
    }

    /// Starts a server; returns when it accepts connections.
    package static func start(_ options: Options = Options()) throws -> PostgresServer {
        // Another process may bind the free port in between: then try the next one.
        for _ in 0..<4 {
            let server = try PostgresServer(options)
            if (try? server.launch()) != nil { return server }
        }
        let server = try PostgresServer(options)
        try server.launch()
        return server
    }

    /// Runs `body` with a server that ends afterwards, also when `body` throws.
    package static func running<Result>(
        _ options: Options = Options(),
        _ body: (PostgresServer) async throws -> Result,
    ) async throws -> Result {
        let server = try start(options)
        defer { server.kill() }
        return try await body(server)
    }

    // MARK: Databases

    /// A libpq URI of a database.
    package func url(_ database: String = "postgres") -> String { "postgres://lemma@127.0.0.1:\(port)/\(database)" }

    /// A new empty database, which is dropped when its last reference is released.
    package func database() throws -> PostgresTestDatabase {
        try PostgresTestDatabase(on: self, name: "test_\(UInt64.random(in: 0...UInt64.max))")
    }

    /// Runs SQL over a connection of its own and returns its rows, unaligned, columns separated by `|`.
    @discardableResult
    package func sql(_ text: String, in database: String = "postgres") throws -> String {
        let output = try TemporaryDirectory()
        let path = "\(output.path)/out"
        guard try startSQL(text, in: database, outputPath: path).wait() == 0 else {
            throw ChildProcessError(description: "\(text): \(textOfFile(path))")
        }
        return textOfFile(path).split(separator: "\n").joined(separator: "\n")
    }

    /// Begins to run SQL over a connection of its own.
    package func startSQL(
        _ text: String,
        in database: String,
        outputPath: String = "/dev/null"
    ) throws -> ChildProcess {
        let arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text, url(database)]
        return try ChildProcess.start(["\(owner.folder)/psql"] + arguments, outputPath: outputPath)
    }

    // MARK: Faults

    /// Shuts it down as an operator does: clients are disconnected.
    package func stop() { end(SIGINT) }

    /// Ends it as a crash does.
    package func kill() { end(SIGQUIT) }

    /// Stops all of its processes (SIGSTOP): connections stay open and nothing answers.
    package func pause() { for process in processes { Glibc.kill(process, SIGSTOP) } }

    package func resume() { for process in processes { Glibc.kill(process, SIGCONT) } }

    /// Starts it again on the same port and data, ending it before if it still runs.
    package func restart() throws {
        kill()
        try launch()
    }

    private func end(_ signal: Int32) {
        guard let process else { return }
        guardian?.dismiss()
        guardian = nil
        resume()
        process.signal(signal)
        process.wait()
        self.process = nil
    }

    /// The postmaster and its child processes.
    private var processes: [Int32] {
        guard let process else { return [] }
        let children = "/proc/\(process.identifier)/task/\(process.identifier)/children"
        return [process.identifier] + textOfFile(children).split(separator: " ").compactMap { Int32($0) }
    }

    // MARK: Starting

    private func launch() throws {
        let log = "\(directory.path)/log"
        let process = try ChildProcess.start(
            owner.unprivileged(["\(owner.folder)/postgres"] + settings),
            outputPath: log
        )
        self.process = process
        guardian = try Guardian(of: process, directory: directory, signal: "QUIT")
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(60) {
            if isReady(process) { return }
            guard process.endStatus == nil else {
                guardian?.dismiss()
                guardian = nil
                self.process = nil
                let words = textOfFile(log).suffix(500)
                throw ChildProcessError(description: "postgres did not start on port \(port): \(words)")
            }
            usleep(5000)
        }
        kill()
        throw ChildProcessError(description: "postgres does not answer on port \(port)")
    }

    /// The server writes its state into its lock file, first line its process, last line `ready`.
    private func isReady(_ process: ChildProcess) -> Bool {
        let lines = textOfFile("\(data)/postmaster.pid").split(separator: "\n")
        return lines.first == "\(process.identifier)" && lines.last?.hasPrefix("ready") == true
    }

    private var settings: [String] {
        var settings = [
            "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "full_page_writes": "off",
            "shared_buffers": "32MB", "max_connections": "60", "logging_collector": "off",
        ]
        if options.certificate != nil {
            settings["ssl"] = "on"
            settings["ssl_cert_file"] = "server.pem"
            settings["ssl_key_file"] = "server.key"
        }
        settings.merge(options.settings) { $1 }
        return ["-D", data, "-p", "\(port)"] + settings.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    }

    private func install(_ certificate: TestCertificate) throws {
        let files = [certificate.certificateFile: "server.pem", certificate.keyFile: "server.key"]
        for (source, name) in files {
            try ChildProcess.run(["cp", source, "\(data)/\(name)"])
            try ChildProcess.run(["chown", "--reference=\(data)", "\(data)/\(name)"])
            try ChildProcess.run(["chmod", "600", "\(data)/\(name)"])
        }
        try ChildProcess.run(["sh", "-c", "echo 'hostssl all all 127.0.0.1/32 trust' >\"$0\"", "\(data)/pg_hba.conf"])
    }
}

/// A database of one test, dropped with the last reference to it.
package final class PostgresTestDatabase: Sendable {
    package let server: PostgresServer
    package let name: String

    fileprivate init(on server: PostgresServer, name: String) throws {
        self.server = server
        self.name = name
        try server.sql("CREATE DATABASE \(name)")
    }

    deinit { _ = try? server.sql("DROP DATABASE \(name) WITH (FORCE)") }

    package var url: String { server.url(name) }

    @discardableResult
    package func sql(_ text: String) throws -> String { try server.sql(text, in: name) }
}

/// The folder of PostgreSQL's programs, and the user that they run as.
struct PostgresPrograms: Sendable {
    /// Without a slash at its end.
    let folder: String
    /// Precedes a command that must not run as root.
    private let prefix: [String]

    static let found = Result { try PostgresPrograms() }

    private init() throws {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        guard let newest = versions.compactMap({ Int($0) }).max() else {
            throw ChildProcessError(description: "there is no PostgreSQL in \(root)")
        }
        folder = "\(root)/\(newest)/bin"
        prefix = getuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
    }

    func unprivileged(_ arguments: [String]) -> [String] { prefix + arguments }

    /// An unused data directory, made once per process: each server starts with a copy.
    static let freshCluster = Result { () throws -> String in
        let programs = try found.get()
        let (directory, _) = try cluster.get()
        let data = "\(directory.path)/data"
        try ChildProcess.run(["chmod", "711", directory.path])
        try ChildProcess.run(["mkdir", data])
        if getuid() == 0 { try ChildProcess.run(["chown", "postgres:postgres", data]) }
        let options = ["--username=lemma", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        try ChildProcess.run(programs.unprivileged(["\(programs.folder)/initdb", "-D", data] + options))
        return data
    }

    private static let cluster = Result {
        let directory = try TemporaryDirectory()
        return (directory, try Guardian(of: directory))
    }
}
