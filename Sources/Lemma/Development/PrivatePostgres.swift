import EventLoop
import FoundationEssentials
import Glibc
import Lifecycle
import PostgresClient
import Synchronization
import Telemetry

/// A PostgreSQL server of this checkout's own, in `./.lemma/postgres`, with its data kept between runs.
///
/// It listens on a Unix-domain socket in that folder, which its owner alone can enter. PostgreSQL refuses to run as
/// root, so a `lemma dev` of root runs it as the folder's owner, at first the user `postgres` or `nobody`. The kernel
/// ends it when this process dies; what still survives is found by its lock file and ended before the next start.
final class PrivatePostgres: Service {
    static let folder = ".lemma/postgres"
    private static let stopLimit = Duration.seconds(5)
    private static let pollPeriod = Duration.milliseconds(10)
    /// Lines of the server's own words that a failure quotes.
    private static let quotedLines = 3

    let name = "private postgres"
    private let loop: Loop
    private let logger: Logger
    private let words = Mutex<[String]>([])

    /// How to reach it: libpq wants the folder's absolute path, which may be longer than a socket's address.
    static let uri = "postgres:///postgres?user=lemma&host=/proc/self/cwd/\(folder)"

    init(on loop: Loop, logger: Logger) {
        self.loop = loop
        self.logger = logger
    }

    func run(started: @escaping @Sendable () -> Void) async throws {
        let folder = "\(FileManager.default.currentDirectoryPath)/\(Self.folder)"
        var cluster = try PostgresCluster(in: folder)
        if !cluster.exists { try await create(&cluster) }
        try await endLeftOver(cluster)
        let process = try await start(cluster.folder, cluster.program("postgres") + Self.settings)
        try await waitUntilReady(process, cluster)
        logger.info("private postgres ready", ["folder": .string(Self.folder)])
        started()
        do {
            let exit = try await loop.run { _ in try await process.onLoop.waitForExit() }
            throw StartFailure("the private PostgreSQL ended by itself (\(exit)); see \(Self.folder)/postgres.log")
        } catch is CancellationError {
            try await Task { try await self.stop(process) }.value
            throw CancellationError()
        }
    }

    /// Makes the data beside its place and moves it there when it is whole.
    private func create(_ cluster: inout PostgresCluster) async throws {
        let draft = try cluster.draft()
        let arguments = ["--username=lemma", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        let process = try await start(draft.folder, draft.program("initdb") + arguments)
        let exit = try await loop.run { _ in try await process.onLoop.waitForExit() }
        guard exit == .status(0) else { throw failure("the private PostgreSQL could not be made") }
        try cluster.adopt(draft)
    }

    private static let settings = [
        "listen_addresses=", "unix_socket_directories=.", "unix_socket_permissions=0700", "port=5432",
        "logging_collector=on", "log_directory=.", "log_filename=postgres.log", "log_rotation_age=0",
        "shared_buffers=32MB", "max_connections=50", "wal_level=minimal", "max_wal_senders=0",
    ].flatMap { ["-c", $0] }

    private func start(_ folder: String, _ command: [String]) async throws -> LoopBound<Subprocess> {
        try await loop.run { [loop, self] _ in
            let process = try Subprocess.start(
                command[0],
                arguments: Array(command.dropFirst()),
                environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C"],
                options: Subprocess.Options(
                    output: .ignore,
                    errors: .lines { self.note($0) },
                    directory: folder,
                ),
                on: loop,
            )
            return LoopBound(process, of: loop)
        }
    }

    private func note(_ line: String) {
        words.withLock { $0 = Array(($0 + [line]).suffix(Self.quotedLines)) }
    }

    private func failure(_ what: String) -> StartFailure {
        let said = words.withLock { $0 }.joined(separator: " ")
        return StartFailure("\(what): \(said.isEmpty ? "see \(Self.folder)/postgres.log" : said)")
    }

    private func waitUntilReady(_ process: LoopBound<Subprocess>, _ cluster: PostgresCluster) async throws {
        for _ in 0..<6000 {
            if try await loop.run({ _ in process.onLoop.exit != nil }) {
                throw failure("the private PostgreSQL did not start")
            }
            if cluster.isReady { return }
            try await loop.run { loop in try await loop.sleep(for: Self.pollPeriod) }
        }
        throw failure("the private PostgreSQL does not answer")
    }

    /// Ends a server left over from an earlier run, or removes the lock file of a dead one.
    private func endLeftOver(_ cluster: PostgresCluster) async throws {
        guard let process = cluster.lockOwner else { return }
        if cluster.isServer(process) {
            logger.warning("ending the private postgres of an earlier run")
            let end = ContinuousClock.now + Self.stopLimit
            kill(process, SIGINT)
            while cluster.isServer(process) {
                if ContinuousClock.now > end { kill(process, SIGKILL) }
                try await loop.run { loop in try await loop.sleep(for: Self.pollPeriod) }
            }
        }
        cluster.removeLock()
    }

    private func stop(_ process: LoopBound<Subprocess>) async throws {
        try await loop.run { loop in
            let server = process.onLoop
            // SIGTERM would wait for clients.
            kill(server.pid, SIGINT)
            let timer = loop.schedule(after: Self.stopLimit) { server.kill() }
            defer { timer.close() }
            _ = try await server.waitForExit()
        }
    }
}
