import API
import CGlobalHops
import EventLoop
import Infrastructure
import TestSupport
import Testing

/// The hook is one for the whole process, so these tests take turns; they count one loop's thread only, so that what
/// other tests do on the global executor does not matter.
@Suite("Tasks and their loops", .tags(.integration), .serialized)
struct HopTests {
    @Test("no task of the product leaves its loop while problems are submitted, streamed, cancelled and read")
    func noHops() async throws {
        var options = APIOptions()
        options.hasWorker = true
        options.script = "hang when forever"
        try await withAPI(options) { api in
            _ = try api.accepted()
            try await api.loop.run { _ in
                // In a later turn, after this closure's own result has gone back to the test's executor.
                _ = api.loop.schedule(after: .milliseconds(20)) { global_hops_watch_this_thread() }
            }
            for number in 0..<20 {
                let id = try api.accepted("problem \(number)")
                #expect(try api.stream("/api/math/stream/\(id)").frames.count > 3)
                #expect(try api.send("GET", "/api/math/requests/\(id)").status == 200)
                _ = try api.solve(#"{"problem":"x"}"#, ["Accept: text/event-stream"])
                _ = try api.solve(#"{"problem":"x"}"#, ["Prefer: wait=5"])
            }
            let id = try api.accepted("forever")
            let viewer = try api.client("GET", "/api/math/stream/\(id)")
            _ = try viewer.read(through: "event: started")
            #expect(try api.send("GET", "/api/math/requests/\(id)", ["Prefer: wait=1"]).status == 200)
            #expect(try api.send("DELETE", "/api/math/requests/\(id)").status == 200)
            _ = try viewer.read(through: "event: cancelled")
            #expect(global_hops_end() == 0)
        }
    }

    @Test("a task that leaves its loop is noticed")
    func leaving() async throws {
        try await onLoop { loop in
            global_hops_watch_this_thread()
            let done = OneShot<Void>(loop: loop)
            let hasLeft = await Task { @concurrent in !loop.isCurrent }.value
            #expect(hasLeft)
            loop.schedule(after: .milliseconds(1)) { done.succeed(()) }
            try await done.value()
            #expect(global_hops_end() > 0)
        }
    }
}
