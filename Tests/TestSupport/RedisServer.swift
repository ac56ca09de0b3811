internal import Glibc

/// A real redis-server on a free port of 127.0.0.1 with a directory of its own.
///
/// It ends, and its files are removed, at the latest with this object. Not to be used by two tasks at once.
package final class RedisServer: @unchecked Sendable {
    // Safety: `@unchecked Sendable` because a test passes it to the loop that it runs on; `process` and `guardian`
    // change only in successive calls of one test.

    package struct Options: Sendable {
        /// Serves TLS on ``RedisServer/tlsPort`` too.
        package var certificate: TestCertificate?
        package var password: String?
        /// Access-control users as in `user name on >password ~* &* +@all`, without the first word.
        package var users: [String] = []
        /// Keeps every write over a kill.
        package var appendOnly = false
        /// For example `2mb`; nil is without limit.
        package var maxMemory: String?
        /// Further settings, for example `["--maxclients", "20"]`.
        package var arguments: [String] = []

        package init() {}
    }

    package let port: Int
    /// 0 without TLS.
    package let tlsPort: Int
    package var socketPath: String { "\(directory.path)/redis.sock" }
    private let options: Options
    private let directory: TemporaryDirectory
    private var process: ChildProcess?
    private var guardian: Guardian?

    private init(_ options: Options) throws {
        self.options = options
        directory = try TemporaryDirectory()
        port = try LoopbackSocket.freePort()
        tlsPort = options.certificate == nil ? 0 : try LoopbackSocket.freePort()
    }

    deinit { kill() }

    /// Starts a server; returns when it answers.
    package static func start(_ options: Options = Options()) throws -> RedisServer {
        // Another process may bind the free port in between: then try the next one.
        for _ in 0..<4 {
            let server = try RedisServer(options)
            if (try? server.launch()) != nil { return server }
        }
        let server = try RedisServer(options)
        try server.launch()
        return server
    }

    /// Runs `body` with a server that ends afterwards, also when `body` throws.
    package static func running<Result>(
        _ options: Options = Options(),
        _ body: (RedisServer) async throws -> Result,
    ) async throws -> Result {
        let server = try start(options)
        defer { server.kill() }
        return try await body(server)
    }

    /// A script for `EVAL` that returns the keys which contain a text, in their names or anywhere in their values; without
    /// KEYS, and with the text as ARGV.
    package static let mentionsScript = """
        local readers = {
          string = { 'GET' }, hash = { 'HGETALL' }, set = { 'SMEMBERS' }, list = { 'LRANGE', 0, -1 },
          zset = { 'ZRANGE', 0, -1 }, stream = { 'XRANGE', '-', '+' },
        }
        local found = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
          local reader = readers[redis.call('TYPE', key).ok]
          local value = redis.call(reader[1], key, unpack(reader, 2))
          if string.find(cjson.encode({ key, value }), ARGV[1], 1, true) then found[#found + 1] = key end
        end
        return found
        """

    /// As `redis://127.0.0.1:port`.
    package var url: String { "redis://127.0.0.1:\(port)" }

    /// Shuts it down as an operator does: it may save, and it closes its connections.
    package func stop() { end(SIGTERM) }

    /// Ends it as a crash does.
    package func kill() { end(SIGKILL) }

    /// Stops the process (SIGSTOP): connections stay open and nothing answers.
    package func pause() { process?.signal(SIGSTOP) }

    package func resume() { process?.signal(SIGCONT) }

    /// Starts it again on the same ports, ending it before if it still runs.
    package func restart(keepingData: Bool = true) throws {
        kill()
        if !keepingData { try directory.removeContents() }
        try launch()
    }

    private func end(_ signal: Int32) {
        guard let process else { return }
        guardian?.dismiss()
        guardian = nil
        process.signal(SIGCONT)
        process.signal(signal)
        process.wait()
        self.process = nil
    }

    private func launch() throws {
        let log = "\(directory.path)/log"
        let process = try ChildProcess.start(["redis-server"] + settings, outputPath: log)
        self.process = process
        guardian = try Guardian(of: process, directory: directory)
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(20) {
            if let answer = LoopbackSocket.ask(port: port, "PING\r\n"), !answer.hasPrefix("-LOADING") { return }
            guard process.endStatus == nil else {
                guardian?.dismiss()
                guardian = nil
                self.process = nil
                throw ChildProcessError(description: "redis-server did not start on port \(port)")
            }
            usleep(5000)
        }
        kill()
        throw ChildProcessError(description: "redis-server does not answer on port \(port)")
    }

    private var settings: [String] {
        var settings = [
            "--bind", "127.0.0.1", "--port", "\(port)", "--unixsocket", socketPath, "--dir", directory.path,
        ]
        settings += ["--save", "", "--appendfsync", "always", "--appendonly", options.appendOnly ? "yes" : "no"]
        settings += ["--enable-debug-command", "yes"]
        if let certificate = options.certificate {
            settings += ["--tls-port", "\(tlsPort)", "--tls-cert-file", certificate.certificateFile]
            settings += ["--tls-key-file", certificate.keyFile, "--tls-ca-cert-file", certificate.authorityFile]
            settings += ["--tls-auth-clients", "no"]
        }
        if let password = options.password { settings += ["--requirepass", password] }
        for user in options.users { settings += ["--user"] + user.split(separator: " ").map(String.init) }
        if let maxMemory = options.maxMemory { settings += ["--maxmemory", maxMemory] }
        return settings + options.arguments
    }
}
