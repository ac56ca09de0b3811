import Glibc
import TestSupport
import Testing

@testable import Telemetry

/// What happens when a line cannot be written.
@Suite("The log output", .tags(.integration))
struct LogOutputTests {
    @Test("a full pipe drops lines without blocking, and takes them again once it is read")
    func fullPipe() {
        let pipe = LogPipe()
        let output = pipe.output()
        let logger = Logger(output: output)
        pipe.fill()
        logger.info("lost")
        #expect(output.droppedLines == 1)
        #expect(pipe.text().allSatisfy { $0 == "x" })
        logger.info("kept")
        #expect(output.droppedLines == 1)
        #expect(pipe.lines().count == 1)
    }

    @Test("a reader that is gone drops lines and ends nothing")
    func closedPipe() {
        let pipe = LogPipe()
        let output = pipe.output()
        pipe.closeReader()
        for _ in 0..<3 { Logger(output: output).info("lost") }
        #expect(output.droppedLines == 3)
    }

    @Test("a full disk drops lines")
    func fullDisk() throws {
        let descriptor = unsafe open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let output = LogOutput(descriptor: descriptor, service: "s", version: "v")
        Logger(output: output).info("lost")
        #expect(output.droppedLines == 1)
    }

    @Test("a descriptor that is not open drops lines")
    func badDescriptor() {
        let output = LogOutput(descriptor: -1, service: "s", version: "v")
        Logger(output: output).info("lost")
        #expect(output.droppedLines == 1)
    }

    @Test("after a line that was cut short the next one begins on a line of its own")
    func torn() async {
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            var name = Array("/tmp/lemma-log-\(String(repeating: "X", count: 6))".utf8CString)
            let descriptor = unsafe mkstemp(&name)
            unsafe unlink(name)
            let output = LogOutput(descriptor: descriptor, service: "s", version: "v")
            let logger = Logger(output: output)
            logger.info("first")
            let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
            var limit = rlimit()
            unsafe getrlimit(resource, &limit)
            limit.rlim_cur = rlim_t(lseek(descriptor, 0, SEEK_CUR) + 20)
            unsafe setrlimit(resource, &limit)
            logger.info("second")
            logger.info("third")
            limit.rlim_cur = limit.rlim_max
            unsafe setrlimit(resource, &limit)
            logger.info("fourth")
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
            let lines = String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: "\n")
            let isRight =
                lines.count == 3 && lines[0].contains("first") && lines[1].utf8.count == 20
                && lines[2].hasPrefix("{") && lines[2].contains("fourth") && output.droppedLines == 2
            exit(isRight ? 0 : 1)
        }
    }

    @Test("lines of several threads do not mix")
    func concurrent() async {
        let pipe = LogPipe()
        let logger = Logger(output: pipe.output())
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for _ in 0..<50 { logger.info("line", ["text": .string(String(repeating: "\(task)", count: 40))]) }
                }
            }
        }
        let lines = pipe.lines()
        #expect(lines.count == 200)
        #expect(lines.allSatisfy { $0.contains(/"text":"(0{40}|1{40}|2{40}|3{40})"}$/) })
    }
}
