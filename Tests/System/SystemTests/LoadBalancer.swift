import Glibc
import TestSupport

/// A haproxy before API replicas, with the settings of `docs/proxies/haproxy.cfg` and its probes quickened.
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
            try write(configuration(port: port, replicas), to: "\(folder.path)/haproxy.cfg")
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

    private static func configuration(port: Int, _ replicas: [Replica]) -> String {
        let servers = replicas.enumerated().map { index, replica in
            "    server api\(index) 127.0.0.1:\(replica.httpPort) check port \(replica.opsPort)"
        }
        return """
            global
                maxconn 4096
            defaults
                mode http
                option http-no-delay
                option redispatch
                retries 3
                retry-on conn-failure empty-response
                timeout connect 5s
                timeout client 60s
                timeout server 60s
                timeout http-request 10s
            frontend public
                bind 127.0.0.1:\(port)
                default_backend api
            backend api
                balance roundrobin
                option httpchk GET /readyz
                default-server inter 100ms fall 1 rise 1 on-marked-down none
            \(servers.joined(separator: "\n"))

            """
    }
}
