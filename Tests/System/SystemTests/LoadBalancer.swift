import Glibc
import TestSupport

/// A haproxy before API replicas, set up as `docs/proxies/haproxy.cfg` recommends.
final class LoadBalancer: Sendable {
    let port: Int
    private let process: ChildProcess
    private let folder: TemporaryDirectory

    private init(port: Int, process: ChildProcess, folder: TemporaryDirectory) {
        self.port = port
        self.process = process
        self.folder = folder
    }

    deinit { stop() }

    /// Starts one and returns when it forwards to every replica.
    static func start(before replicas: [Replica]) throws -> LoadBalancer {
        let folder = try TemporaryDirectory()
        var failure = ChildProcessError(description: "haproxy did not start")
        // Another process may take the free port in between: then try the next one.
        for _ in 0..<4 {
            let port = try LoopbackSocket.freePort()
            try write(try configuration(port: port, replicas), to: "\(folder.path)/haproxy.cfg")
            let process = try ChildProcess.start(
                ["/usr/sbin/haproxy", "-db", "-f", "\(folder.path)/haproxy.cfg"],
                outputPath: "\(folder.path)/log",
            )
            let balancer = LoadBalancer(port: port, process: process, folder: folder)
            if balancer.forwards() { return balancer }
            failure = ChildProcessError(description: "haproxy: \(Log(path: "\(folder.path)/log").text)")
            balancer.stop()
        }
        throw failure
    }

    private func forwards() -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline, process.isRunning {
            if (try? HTTPCall.send("GET", port: port, "/api/math/requests/x").status) == 400 { return true }
            usleep(10_000)
        }
        return false
    }

    func stop() {
        guard process.isRunning else { return }
        process.signal(SIGKILL)
        _ = process.waitForExit(within: .seconds(10))
    }

    /// The file that is recommended to operators, with this test's addresses and with quicker probes.
    private static func configuration(port: Int, _ replicas: [Replica]) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let lines = Log(path: "/\(root)/docs/proxies/haproxy.cfg").text.split(separator: "\n")
        guard let bind = lines.firstIndex(of: "    bind *:80") else {
            throw ChildProcessError(description: "docs/proxies/haproxy.cfg has no bind *:80")
        }
        let servers = replicas.enumerated().map { index, replica in
            "    server api\(index) 127.0.0.1:\(replica.httpPort) port \(replica.opsPort) inter 200ms"
        }
        var own = lines.map(String.init).filter { !$0.hasPrefix("    server ") } + servers
        own[bind] = "    bind 127.0.0.1:\(port)"
        return own.joined(separator: "\n") + "\n"
    }
}
