import Glibc
import Synchronization
import TestSupport

/// The product as it runs in production: a Redis, a database, API and worker replicas, and a load balancer in front.
///
/// Safe from any thread; `redis` and a server of `database` that is its own are to be used by one task at a time.
final class Deployment: Sendable {
    struct Plan: Sendable {
        var apis = 1
        var workers = 1
        var loadBalancer: LoadBalancer.Kind?
        /// Settings that differ from those of ``Deployment/settings``.
        var environment: [String: String] = [:]
        /// The content of the file that MOCK_SCRIPT names.
        var mockScript: String?
        var redis = RedisServer.Options()
        /// The Redis user of the replicas, as `name:password`; nil is the default user.
        var redisUser: String?
        /// The replicas' soft and hard limit of open files.
        var openFiles: String?
        /// Of a PostgreSQL server of its own, for tests that end or freeze it; else the database is on a shared one.
        var postgres: PostgresServer.Options?
        /// Whether the replicas, and the migration, reach the database through PgBouncer, a session for each transaction.
        var isPooled = false
        /// Part of the replicas' URL, although the server requires no password.
        var databasePassword: String?
    }

    let redis: RedisServer
    let database: PostgresTestDatabase
    let apis: [Replica]
    let loadBalancer: LoadBalancer?
    private let plan: Plan
    private let folder: TemporaryDirectory
    private let workerList: Mutex<[Replica]>

    var workers: [Replica] { workerList.withLock { $0 } }
    /// The first API replica.
    var api: Client { Client(port: apis[0].httpPort) }
    /// Through the load balancer.
    var balanced: Client {
        get throws {
            guard let loadBalancer else { throw ChildProcessError(description: "there is no load balancer") }
            return Client(port: loadBalancer.port)
        }
    }

    private init(
        _ plan: Plan,
        redis: RedisServer,
        database: PostgresTestDatabase,
        folder: TemporaryDirectory,
        apis: [Replica],
        workers: [Replica],
        loadBalancer: LoadBalancer?
    ) {
        self.plan = plan
        self.redis = redis
        self.database = database
        self.folder = folder
        self.apis = apis
        self.loadBalancer = loadBalancer
        workerList = Mutex(workers)
    }

    /// Runs `body`, on threads of its own, beside a deployment that has ended when this returns.
    static func running(_ plan: Plan = Plan(), _ body: @Sendable (Deployment) async throws -> Void) async throws {
        try await onOwnThreads {
            try await RedisServer.running(plan.redis) { redis in
                let folder = try TemporaryDirectory()
                let server = try plan.postgres.map { try PostgresServer.start($0) } ?? PostgresServer.shared.get()
                let database = try server.database()
                let pooler = try plan.isPooled ? PgBouncer(before: database.server, sessions: 3) : nil
                defer { withExtendedLifetime(pooler) {} }
                var plan = plan
                if let pooler { plan.environment["DATABASE_URL"] = pooler.url(database) }
                let settings = try settings(plan, redis, database, folder)
                let url = settings["DATABASE_URL"] ?? database.url
                let migrate = ["/usr/bin/env", "DATABASE_URL=\(url)", try Replica.program, "migrate"]
                try ChildProcess.run(migrate)
                var started: [Replica.Starting] = []
                // Also when a replica does not start.
                defer { for one in started where one.process.isRunning { end(one.process) } }
                for index in 0..<plan.apis + plan.workers {
                    let role = index < plan.apis ? "api" : "worker"
                    let log = "\(folder.path)/\(role)-\(index).log"
                    let files = plan.openFiles
                    started.append(
                        try Replica.start(role, environment: settings, logPath: log, openFiles: files)
                    )
                }
                let replicas = try started.map { try $0.ready() }
                let apis = Array(replicas.prefix(plan.apis))
                let loadBalancer = try plan.loadBalancer.map { try LoadBalancer.start($0, before: apis) }
                defer { loadBalancer?.stop() }
                let deployment = Deployment(
                    plan,
                    redis: redis,
                    database: database,
                    folder: folder,
                    apis: apis,
                    workers: Array(replicas.dropFirst(plan.apis)),
                    loadBalancer: loadBalancer,
                )
                defer { for worker in deployment.workers where worker.process.isRunning { end(worker.process) } }
                try await body(deployment)
            }
        }
    }

    private static func end(_ process: ChildProcess) {
        process.signal(SIGKILL)
        _ = process.waitForExit(within: .seconds(10))
    }

    private static func settings(
        _ plan: Plan,
        _ redis: RedisServer,
        _ database: PostgresTestDatabase,
        _ folder: TemporaryDirectory
    ) throws -> [String: String] {
        var settings = [
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "REDIS_URL": (plan.redisUser ?? plan.redis.password.map { ":\($0)" })
                .map { redis.url.replacing("://", with: "://\($0)@") } ?? redis.url,
            "DATABASE_URL": plan.databasePassword.map { database.url.replacing("@", with: ":\($0)@") } ?? database.url,
            "JWT_SECRET": "a secret that only this test knows and nobody else",
            "AUTH_REQUIRED": "false",
            "RATE_LIMIT_SOLVE": "off",
            "AI_PROVIDERS": "mock",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "OPS_HOST": "127.0.0.1",
            "OPS_PORT": "0",
            "EVENT_LOOPS": "2",
            "LOG_FORMAT": "json",
            "DRAIN_GRACE": "1s",
        ]
        if let script = plan.mockScript {
            settings["MOCK_SCRIPT"] = "\(folder.path)/script"
            try write(script, to: "\(folder.path)/script")
        }
        return settings.merging(plan.environment) { $1 }
    }

    /// Starts one more worker, with changed settings.
    @discardableResult
    func addWorker(_ changes: [String: String] = [:]) throws -> Replica {
        let settings = try Self.settings(plan, redis, database, folder).merging(changes) { $1 }
        let log = "\(folder.path)/worker-\(apis.count + workers.count).log"
        let starting = try Replica.start("worker", environment: settings, logPath: log)
        do {
            let worker = try starting.ready()
            workerList.withLock { $0.append(worker) }
            return worker
        } catch {
            Self.end(starting.process)
            throw error
        }
    }

    /// Runs another command of the program, with the replicas' settings; throws where it does not exit 0.
    func run(_ words: String...) throws { try run(words, outputPath: "/dev/null") }

    /// The same; returns its output.
    func output(_ words: String...) throws -> String {
        let path = "\(folder.path)/output"
        unsafe unlink(path)
        try run(words, outputPath: path)
        return Log(path: path).text
    }

    private func run(_ words: [String], outputPath: String) throws {
        let settings = try Self.settings(plan, redis, database, folder).map { "\($0.key)=\($0.value)" }
        let command = ["/usr/bin/env", "-C", folder.path, "-i"] + settings + [try Replica.program] + words
        try ChildProcess.run(command, outputPath: outputPath)
    }

    /// Sends one command to Redis and returns what redis-cli prints.
    func askRedis(_ words: String...) throws -> String { try askRedis(words) }

    func askRedis(_ words: [String]) throws -> String {
        let output = "\(folder.path)/redis-cli"
        unsafe unlink(output)
        let access = plan.redis.password.map { ["--no-auth-warning", "-a", $0] } ?? []
        try ChildProcess.run(["redis-cli", "-p", "\(redis.port)"] + access + words, outputPath: output)
        return Log(path: output).text
    }
}

/// Writes a small file.
func write(_ text: String, to path: String) throws {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard descriptor >= 0, unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
        throw ChildProcessError(description: "\(path) cannot be written")
    }
}
