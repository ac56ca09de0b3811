import EventLoop
import Glibc
import LocalMath
import TestSupport

/// The whole answer to a problem, from a solver and a loop of its own.
func answer(_ problem: String, limits: LocalSolver.Limits = LocalSolver.Limits()) async throws -> String {
    try await pieces(problem, limits: limits).joined()
}

/// The pieces in which the answer to a problem came.
func pieces(_ problem: String, limits: LocalSolver.Limits = LocalSolver.Limits()) async throws -> [String] {
    try await onLoop { loop in
        let solver = LocalSolver(on: loop, limits: limits)
        let page = Pieces()
        try await solver.solve(problem) { page.all.append($0) }
        return page.all
    }
}

/// The answers to many problems, from one solver that works on a few at a time, so that a busy machine has time for
/// each.
func answers(_ problems: [String]) async throws -> [String] {
    try await onLoop { loop in
        let limits = LocalSolver.Limits(time: .seconds(300), waiting: .seconds(300), processesMax: 3)
        let solver = LocalSolver(on: loop, limits: limits)
        let all = problems.map { problem in
            let whole = OneShot<String>(loop: loop)
            loop.spawn {
                let page = Pieces()
                try? await solver.solve(problem) { page.all.append($0) }
                whole.succeed(page.all.joined())
            }
            return whole
        }
        var texts: [String] = []
        for whole in all { texts.append(try await whole.value()) }
        return texts
    }
}

/// What a callback collects.
final class Pieces {
    var all: [String] = []
}

/// The text after `**Answer:**` on the last line; nil if there is no such line.
func result(_ text: String) -> String? {
    let mark = "**Answer:** "
    guard let line = text.split(separator: "\n").last, line.hasPrefix(mark) else { return nil }
    return String(line.dropFirst(mark.count))
}

/// The calculator processes of this test process with this memory limit, which identifies the test that started them.
func calculators(memoryBytesMax: Int) -> [Int32] {
    guard let directory = unsafe opendir("/proc") else { return [] }
    defer { unsafe closedir(directory) }
    var found: [Int32] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
            unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
        guard let pid = Int32(name) else { continue }
        let parts = contents("/proc/\(pid)/stat").split(separator: " ")
        guard parts.count > 3, parts[1] == "(qalc)", parts[3] == "\(getpid())",
            contents("/proc/\(pid)/limits").contains("Max address space         \(memoryBytesMax) ")
        else { continue }
        found.append(pid)
    }
    return found
}

private func contents(_ path: String) -> String {
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}
