import FoundationEssentials
import Glibc
import TestSupport

/// One process of the product: the built program, run as an operator runs it.
final class Replica: Sendable {
    let httpPort: Int
    let opsPort: Int
    let process: ChildProcess
    private let log: Log

    /// The program beside this test's own executable, in the build folder.
    static var program: String {
        get throws {
            let test = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let folder = test.prefix(upTo: test.lastIndex(of: "/") ?? test.startIndex)
            // swift-testing runs in the test bundle itself, or in a helper that is given its path.
            let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }
            let other = bundle.map { $0.prefix(upTo: $0.lastIndex(of: "/") ?? $0.startIndex) }
            let places = ([folder] + (other.map { [$0] } ?? [])).map { "\($0)/lemma" }
            guard let place = places.first(where: { unsafe access($0, X_OK) == 0 }) else {
                throw ChildProcessError(description: "the program is not built: \(places)")
            }
            return place
        }
    }

    private init(process: ChildProcess, log: Log, httpPort: Int, opsPort: Int) {
        self.process = process
        self.log = log
        self.httpPort = httpPort
        self.opsPort = opsPort
    }

    /// A process that has been started and has not logged its ports yet.
    struct Starting {
        let process: ChildProcess
        let log: Log
        let servesHTTP: Bool

        /// Blocks until it is ready for traffic.
        func ready() throws -> Replica {
            let ops = try log.port(of: "operations port open", process)
            let http = servesHTTP ? try log.port(of: "serving", process) : 0
            _ = try log.wait(for: "all services started", process)
            return Replica(process: process, log: log, httpPort: http, opsPort: ops)
        }
    }

    /// Starts `lemma <role>`; `logPath` is where its lines go, `openFiles` its soft and hard limit as prlimit(1) takes it.
    static func start(
        _ role: String,
        environment: [String: String],
        logPath: String,
        openFiles: String? = nil
    ) throws -> Starting {
        let folder = String(logPath.prefix(upTo: logPath.lastIndex(of: "/") ?? logPath.startIndex))
        // Outside of the checkout, so that its `.env` is not read.
        let process = try ChildProcess.start(
            ["/usr/bin/env", "-C", folder] + (openFiles.map { ["prlimit", "--nofile=\($0)"] } ?? [])
                + [try program, role],
            outputPath: logPath,
            environment: environment,
        )
        return Starting(process: process, log: Log(path: logPath), servesHTTP: role == "api")
    }

    func kill() {
        process.signal(SIGKILL)
        _ = process.waitForExit(within: .seconds(10))
    }

    var isReady: Bool { (try? HTTPCall.send("GET", port: opsPort, "/readyz").status) == 200 }

    /// The sum of a metric's values over its labels, or over those series that have these labels, as a scraper sees them.
    func metric(_ name: String, _ labels: String = "") throws -> Double {
        let text = try HTTPCall.send("GET", port: opsPort, "/metrics").body
        let lines = text.split(separator: "\n")
            .filter {
                ($0.hasPrefix(name + " ") || $0.hasPrefix(name + "{")) && (labels.isEmpty || $0.contains(labels))
            }
        return lines.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    /// Resident memory in bytes, now and at most so far (proc_pid_status(5)).
    var residentBytes: Int { memory("VmRSS:") }
    var peakResidentBytes: Int { memory("VmHWM:") }

    private func memory(_ name: String) -> Int {
        let status = FileManager.default.contents(atPath: "/proc/\(process.identifier)/status") ?? Data()
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }

    var logText: String { log.text }
}

/// The log file of a process, one JSON object a line.
struct Log: Sendable {
    let path: String

    private struct Line: Decodable {
        let message: String
        let port: Int?
    }

    var text: String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    private func line(_ message: String) -> Line? {
        text.split(separator: "\n").lazy
            .compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
            .first { $0.message == message }
    }

    private func find(_ message: String, _ process: ChildProcess) throws -> Line {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if let line = line(message) { return line }
            guard process.isRunning else { throw ChildProcessError(description: "the program ended: \(text)") }
            usleep(10_000)
        }
        throw ChildProcessError(description: "the program never said \(message): \(text)")
    }

    func wait(for message: String, _ process: ChildProcess) throws { _ = try find(message, process) }

    func port(of message: String, _ process: ChildProcess) throws -> Int {
        guard let port = try find(message, process).port else {
            throw ChildProcessError(description: "\(message) names no port")
        }
        return port
    }
}
