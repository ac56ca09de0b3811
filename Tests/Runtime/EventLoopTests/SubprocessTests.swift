import EventLoop
import Glibc
import TestSupport
import Testing

@Suite("Child processes", .tags(.integration))
struct SubprocessTests {
    private static let limits = Subprocess.Limits(timeout: .seconds(10), outputBytesMax: 1 << 20)

    private static func run(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: String = "",
        limits: Subprocess.Limits = limits,
    ) async throws -> Subprocess.Output {
        try await onLoop { loop in
            try await Subprocess.run(
                executable,
                arguments: arguments,
                environment: environment,
                input: Array(input.utf8),
                limits: limits,
                on: loop
            )
        }
    }

    @Test("A raised limit of open files is this process's alone: a child starts with the one it was raised from")
    func descriptorLimit() async {
        await #expect(processExitsWith: .success) {
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            var limit = rlimit()
            unsafe getrlimit(resource, &limit)
            limit.rlim_cur = 100
            unsafe setrlimit(resource, &limit)
            let change = DescriptorLimit.raise()
            precondition(change.softBefore == 100 && change.soft == change.hard && change.hard > 100)
            precondition(DescriptorLimit.raise() == change, "the second time changes nothing")
            let output = try await SubprocessTests.run("/bin/sh", ["-c", "ulimit -Sn; ulimit -Hn"]).output
            let hard = limit.rlim_max == rlim_t.max ? "unlimited" : "\(limit.rlim_max)"
            precondition(String(decoding: output, as: UTF8.self) == "100\n\(hard)\n")
        }
    }

    @Test("A program gets its input and gives its output, errors and status")
    func streams() async throws {
        let echoed = try await Self.run("/bin/cat", input: "first\nsecond")
        #expect(echoed.output == Array("first\nsecond".utf8))
        #expect(echoed.errors.isEmpty)
        #expect(echoed.exit == .status(0))
        let failed = try await Self.run("/bin/cat", ["/no/such/file"])
        #expect(failed.exit == .status(1))
        #expect(failed.output.isEmpty)
        #expect(String(decoding: failed.errors, as: UTF8.self).contains("No such file"))
    }

    @Test("Arguments arrive as they are: nothing reads them as a shell would")
    func arguments() async throws {
        let told = try await Self.run("/bin/echo", ["$HOME", ";", "`id`", "a  b", "*"])
        #expect(String(decoding: told.output, as: UTF8.self) == "$HOME ; `id` a  b *\n")
    }

    @Test("The environment is exactly what was given")
    func environment() async throws {
        let told = try await Self.run("/usr/bin/env", environment: ["ONE": "1"])
        #expect(String(decoding: told.output, as: UTF8.self) == "ONE=1\n")
    }

    @Test("A megabyte goes in and comes out, and a program that does not read its input does no harm")
    func large() async throws {
        let text = String(repeating: "0123456789abcdef", count: 60_000)
        #expect(try await Self.run("/bin/cat", input: text).output.count == text.utf8.count)
        #expect(try await Self.run("/bin/true", input: text).exit == .status(0))
    }

    @Test("A program that does not exist is an error, not a child")
    func missing() async {
        await #expect(throws: SubprocessError.notStarted(NetworkError(code: -ENOENT))) {
            try await Self.run("/no/such/program")
        }
    }

    @Test("A program that runs too long is killed")
    func timeout() async {
        await #expect(throws: SubprocessError.timedOut) {
            try await Self.run(
                "/bin/sleep",
                ["60"],
                limits: Subprocess.Limits(timeout: .milliseconds(50), outputBytesMax: 10)
            )
        }
    }

    @Test("A program that writes too much is killed")
    func output() async {
        await #expect(throws: SubprocessError.outputTooLarge) {
            try await Self.run("/usr/bin/yes", limits: Subprocess.Limits(timeout: .seconds(10), outputBytesMax: 9_999))
        }
    }

    @Test("Cancelling the task kills the program at once and leaves no child")
    func cancellation() async throws {
        try await onLoop { loop in
            var pid: Int32 = 0
            let ended = OneShot<SubprocessError?>(loop: loop)
            let task = loop.spawn {
                do throws(SubprocessError) {
                    _ = try await Subprocess.run(
                        "/bin/sleep",
                        arguments: ["4711"],
                        environment: [:],
                        limits: Subprocess.Limits(timeout: .seconds(60), outputBytesMax: 10),
                        on: loop
                    )
                    ended.succeed(nil)
                } catch {
                    ended.succeed(error)
                }
            }
            try await eventually("the child appears", on: loop) {
                pid = child(running: "4711")
                return pid > 0
            }
            task.cancel()
            #expect(try await ended.value() == .cancelled)
            #expect(kill(pid, 0) == -1 && errno == ESRCH)
        }
    }

    @Test("A long-lived child reports its lines, and ends on request")
    func longLived() async throws {
        try await onLoop { loop in
            let lines = Lines()
            let process = try Subprocess.start(
                "/usr/bin/python3",
                arguments: ["-u", "-c", "import time\nprint('ready')\nprint('half', end='')\ntime.sleep(60)"],
                environment: [:],
                options: Subprocess.Options(output: .lines { lines.all.append($0) }),
                on: loop
            )
            #expect(process.pid > 0)
            try await eventually("the first line arrives", on: loop) { lines.all == ["ready"] }
            #expect(process.exit == nil)
            process.terminate()
            #expect(try await process.waitForExit() == .signal(Int(SIGTERM)))
            try await eventually("the unfinished line follows", on: loop) { lines.all == ["ready", "half"] }
            process.kill()
            #expect(process.exit == .signal(Int(SIGTERM)))
        }
    }

    @Test("Signals reach the children of a child that owns its group")
    func group() async throws {
        try await onLoop { loop in
            let lines = Lines()
            let script =
                "import subprocess\nc = subprocess.Popen(['/bin/sleep', '60'])\nprint(c.pid, flush=True)\nc.wait()"
            let process = try Subprocess.start(
                "/usr/bin/python3",
                arguments: ["-c", script],
                environment: [:],
                options: Subprocess.Options(output: .lines { lines.all.append($0) }),
                on: loop
            )
            try await eventually("the grandchild's id arrives", on: loop) { !lines.all.isEmpty }
            let grandchild = try #require(Int32(lines.all[0]))
            process.kill()
            #expect(try await process.waitForExit() == .signal(Int(SIGKILL)))
            try await eventually("the grandchild is gone or waits for init", on: loop) { !isAlive(grandchild) }
        }
    }

    @Test("A loop that stops takes its children with it")
    func loopEnd() async throws {
        let pid = try await onLoop { loop in
            try Subprocess.start("/bin/sleep", arguments: ["60"], environment: [:], on: loop).pid
        }
        #expect(kill(pid, 0) == -1 && errno == ESRCH)
    }

    @Test("A hundred runs leave no descriptor behind")
    func descriptors() async {
        // In a process of its own, because other tests open descriptors meanwhile.
        await #expect(processExitsWith: .success) {
            try await onLoop { loop in
                let before = openDescriptors()
                for _ in 0..<100 {
                    _ = try await Subprocess.run(
                        "/bin/true",
                        arguments: [],
                        environment: [:],
                        limits: Self.limits,
                        on: loop
                    )
                }
                try await eventually("closed pipes are gone", on: loop) { openDescriptors() <= before + 4 }
            }
        }
    }
}

private final class Lines {
    var all: [String] = []
}

private func entries(_ path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        unsafe names.append(
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
        )
    }
    return names
}

private func openDescriptors() -> Int { entries("/proc/self/fd").count }

private func contents(_ path: String) -> String {
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}

/// The child of this process that has `argument` on its command line.
private func child(running argument: String) -> Int32 {
    for name in entries("/proc") {
        guard let pid = Int32(name), contents("/proc/\(name)/cmdline").contains(argument),
            contents("/proc/\(name)/stat").split(separator: " ").dropFirst(3).first == "\(getpid())"
        else { continue }
        return pid
    }
    return 0
}

/// False for a process that has ended, also while it is a zombie.
private func isAlive(_ pid: Int32) -> Bool {
    let state = contents("/proc/\(pid)/stat").split(separator: " ").dropFirst(2).first
    return state != nil && state != "Z"
}
