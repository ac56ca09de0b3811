import Glibc
import TestSupport

/// A proxy before API replicas, set up as the file of its kind in `docs/proxies` recommends.
final class LoadBalancer: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case haproxy
        case nginx
    }

    let port: Int
    private let process: ChildProcess
    private let folder: TemporaryDirectory

    private init(port: Int, process: ChildProcess, folder: TemporaryDirectory) {
        self.port = port
        self.process = process
        self.folder = folder
    }

    deinit { stop() }

    /// Starts one and returns when it forwards.
    static func start(_ kind: Kind, before replicas: [Replica]) throws -> LoadBalancer {
        let folder = try TemporaryDirectory()
        let log = Log(path: "\(folder.path)/log")
        // Another process may take the free port in between: then try the next one.
        for _ in 0..<4 {
            let port = try LoopbackSocket.freePort()
            let file = "\(folder.path)/configuration"
            try write(try kind.configuration(port: port, replicas, in: folder.path), to: file)
            let process = try ChildProcess.start(kind.command(file, in: folder.path), outputPath: log.path)
            let balancer = LoadBalancer(port: port, process: process, folder: folder)
            if balancer.forwards() { return balancer }
            balancer.stop()
        }
        throw ChildProcessError(description: "\(kind) did not start: \(log.text)")
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
}

extension LoadBalancer.Kind {
    private var fileName: String {
        switch self {
        case .haproxy: "haproxy.cfg"
        case .nginx: "nginx.conf"
        }
    }

    /// Runs it as one process in the foreground.
    fileprivate func command(_ file: String, in folder: String) -> [String] {
        switch self {
        case .haproxy: ["/usr/sbin/haproxy", "-db", "-f", file]
        case .nginx:
            [
                "/usr/sbin/nginx", "-c", file, "-e", "stderr", "-g",
                "daemon off; master_process off; pid \(folder)/pid; error_log stderr;",
            ]
        }
    }

    /// The recommended file, with a test's addresses.
    fileprivate func configuration(port: Int, _ replicas: [Replica], in folder: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = Log(path: "/\(root)/docs/proxies/\(fileName)").text
        var isBound = false
        let lines = text.split(separator: "\n").flatMap { line -> [String] in
            let words = line.split(separator: " ")
            switch (self, words.first, words.dropFirst().first) {
            case (.haproxy, "bind", _), (.nginx, "listen", _):
                isBound = true
                return self == .haproxy ? ["bind 127.0.0.1:\(port)"] : ["listen 127.0.0.1:\(port);"]
            case (_, "server", let name?) where name.hasPrefix("api1"):
                return replicas.enumerated().map { server($0, $1) }
            case (_, "server", let name?) where name.hasPrefix("api2"): return []
            // Where it may write without being root.
            case (.nginx, "http", "{"):
                return ["http {"]
                    + ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder)/\($0);" }
            case _: return [String(line)]
            }
        }
        guard isBound else { throw ChildProcessError(description: "docs/proxies/\(fileName) binds no port") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func server(_ index: Int, _ replica: Replica) -> String {
        switch self {
        case .haproxy: "server api\(index) 127.0.0.1:\(replica.httpPort) port \(replica.opsPort) inter 200ms"
        case .nginx: "server 127.0.0.1:\(replica.httpPort) max_fails=1 fail_timeout=2s;"
        }
    }
}
