import EventLoop
import LocalMath
import TestSupport

/// The whole answer to a problem, from a solver and a loop of its own.
func answer(_ problem: String, limits: LocalSolver.Limits = LocalSolver.Limits()) async throws -> String {
    try await onLoop { loop in
        let solver = LocalSolver(on: loop, limits: limits)
        let page = Collected()
        try await solver.solve(problem) { page.text += $0 }
        return page.text
    }
}

/// Text that a callback adds to.
final class Collected {
    var text = ""
}

/// What stands behind `**Answer:**` on the last line; nil if there is no such line.
func result(_ problem: String) async throws -> String? {
    let text = try await answer(problem)
    guard let line = text.split(separator: "\n").last, line.hasPrefix("**Answer:** ") else { return nil }
    return String(line.dropFirst("**Answer:** ".count))
}
