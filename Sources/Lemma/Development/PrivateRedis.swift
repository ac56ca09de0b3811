import EventLoop
import FoundationEssentials
import Lifecycle
import RedisClient
import Synchronization
import Telemetry

/// A Redis server of this checkout's own, below `./.lemma/redis`, with its data kept between runs.
///
/// It listens on a Unix-domain socket only. The kernel ends it when this process dies, however that happens
/// (prctl(2), PR_SET_PDEATHSIG); what still survives is found by its socket and ended before the next start.
final class PrivateRedis: Service {
    static let folder = ".lemma/redis"
    private static let socket = "\(folder)/redis.sock"
    private static let server = "/usr/bin/redis-server"
    private static let stopLimit = Duration.seconds(5)

    let name = "private redis"
    private let loop: Loop
    private let logger: Logger

    /// How to reach it; the path is relative to the working directory, because a socket's path is short.
    static var url: RedisURL { RedisURL(endpoint: .unix(path: socket)) }

    init(on loop: Loop, logger: Logger) {
        self.loop = loop
        self.logger = logger
    }

    func run(started: @escaping @Sendable () -> Void) async throws {
        guard FileManager.default.isExecutableFile(atPath: Self.server) else {
            throw StartFailure("\(Self.server) is missing: install the package redis-server, or run make setup")
        }
        let directory = "\(FileManager.default.currentDirectoryPath)/\(Self.folder)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try await endLeftOver()
        let process = try await loop.run { [loop] _ in
            LoopBound(try Self.start(in: directory, on: loop), of: loop)
        }
        try await waitUntilReady(process)
        logger.info("private redis ready", ["folder": .string(Self.folder)])
        started()
        do {
            let exit = try await loop.run { _ in try await process.onLoop.waitForExit() }
            throw StartFailure("the private Redis ended by itself (\(exit)); see \(Self.folder)/redis.log")
        } catch is CancellationError {
            try await Task { try await self.stop(process) }.value
            throw CancellationError()
        }
    }

    private static func start(in directory: String, on loop: Loop) throws -> Subprocess {
        try Subprocess.start(
            "/usr/bin/setpriv",
            arguments: [
                "--pdeathsig", "TERM", server,
                "--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700", "--daemonize", "no",
                "--pidfile", "redis.pid", "--dir", directory, "--logfile", "redis.log", "--save", "",
                "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
                "--stream-node-max-bytes", "1024",
            ],
            environment: ["PATH": "/usr/bin:/bin"],
            options: Subprocess.Options(directory: directory),
            on: loop,
        )
    }

    private func waitUntilReady(_ process: LoopBound<Subprocess>) async throws {
        for _ in 0..<500 {
            if try await loop.run({ _ in process.onLoop.exit != nil }) {
                throw StartFailure("the private Redis did not start; see \(Self.folder)/redis.log")
            }
            if await answers(RedisCommand("PING")) { return }
            try await loop.run { loop in try await loop.sleep(for: .milliseconds(20)) }
        }
        throw StartFailure("the private Redis does not answer; see \(Self.folder)/redis.log")
    }

    /// Ends a server left over from an earlier run.
    private func endLeftOver() async throws {
        guard await answers(RedisCommand("PING")) else { return }
        logger.warning("ending the private redis of an earlier run")
        _ = await answers(RedisCommand("SHUTDOWN"))
        for _ in 0..<250 where await answers(RedisCommand("PING")) {
            try await loop.run { loop in try await loop.sleep(for: .milliseconds(20)) }
        }
    }

    private func answers(_ command: RedisCommand) async -> Bool {
        let answer = try? await loop.run { loop in
            var configuration = try RedisConfiguration(url: Self.url)
            configuration.waitLimit = .milliseconds(10)
            let commander = RedisCommander(configuration, on: loop)
            defer { commander.close() }
            return try await commander.call(command, deadline: .milliseconds(500))
        }
        return answer != nil
    }

    private func stop(_ process: LoopBound<Subprocess>) async throws {
        try await loop.run { loop in
            let redis = process.onLoop
            redis.terminate()
            let timer = loop.schedule(after: Self.stopLimit) { redis.kill() }
            defer { timer.close() }
            _ = try await redis.waitForExit()
        }
    }
}
