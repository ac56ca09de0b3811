import EventLoop
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("The end of a loop", .tags(.integration), .timeLimit(.minutes(2)))
struct LoopGroupTests {
    @Test("Sleeping and waiting tasks end at a cancellation")
    func tasks() async throws {
        let ended = Shared<[String]>([])
        let group = LoopGroup(count: 2)
        for loop in group.loops {
            try await loop.run { loop in
                loop.spawn {
                    do { try await loop.sleep(for: .seconds(60)) } catch { ended.change { $0.append("sleep") } }
                    // Cleaning up may wait again, and does not wait long.
                    do { try await loop.sleep(for: .seconds(60)) } catch { ended.change { $0.append("again") } }
                }
                loop.spawn {
                    let never = OneShot<Void>(loop: loop)
                    do { try await never.value() } catch { ended.change { $0.append("wait") } }
                }
                loop.spawn {
                    do { try await Task.sleep(for: .seconds(60)) } catch { ended.change { $0.append("clock") } }
                }
                loop.spawn {
                    await withTaskGroup { tasks in
                        for _ in 0..<2 { tasks.addTask { try? await Task.sleep(for: .seconds(3600)) } }
                    }
                    ended.change { $0.append("children") }
                }
            }
        }
        group.stop()
        let expected = ["again", "children", "clock", "sleep", "wait"].flatMap { [$0, $0] }
        #expect(ended.value.sorted() == expected)
    }

    @Test("What another thread runs on the loop ends with a cancellation")
    func foreignRun() async throws {
        let group = LoopGroup(count: 1)
        let loop = group.loops[0]
        let isStarted = Shared(false)
        let running = Task {
            try await loop.run { loop in
                isStarted.change { $0 = true }
                try await loop.sleep(for: .seconds(60))
            }
        }
        #expect(try await eventually(within: .seconds(60)) { isStarted.value })
        try await onThread { group.stop() }
        await #expect(throws: CancellationError.self) { try await running.value }
    }

    @Test("The loop waits for a task that another thread resumes late")
    func lateResumption() async throws {
        let group = LoopGroup(count: 1)
        let (isCancelled, hasEnded) = (Shared(false), Shared(false))
        let waiting = unsafe Shared<UnsafeContinuation<Void, Never>?>(nil)
        try await group.loops[0].run { loop in
            _ = loop.spawn {
                await withTaskCancellationHandler {
                    unsafe await withUnsafeContinuation { continuation in
                        unsafe waiting.change { unsafe $0 = unsafe continuation }
                    }
                } onCancel: {
                    isCancelled.change { $0 = true }
                }
                #expect(loop.isCurrent)
                hasEnded.change { $0 = true }
            }
        }
        let stopping = Task { try await onThread { group.stop() } }
        #expect(try await eventually { isCancelled.value })
        unsafe waiting.value?.resume()
        try await stopping.value
        #expect(hasEnded.value)
    }

    @Test("Nothing runs on a stopped loop, and no caller waits for it")
    func afterwards() async throws {
        let group = LoopGroup(count: 2)
        group.stop()
        group.stop()
        let loop = group.loops[0]
        #expect(!loop.execute { Issue.record("it ran") })
        await #expect(throws: CancellationError.self) { _ = try await loop.run { _ in 1 } }
    }

    @Test("Streams are closed and report it, timers and listeners are closed, objects are freed")
    func everything() async throws {
        let live = Live()
        let group = LoopGroup(count: 2)
        let closes = Shared(0)
        for loop in group.loops {
            try await loop.run { loop in
                let listener = try await TCPListener.listen(host: "127.0.0.1", port: 0, on: loop)
                listener.start(on: group.loops) { stream in stream.delegate = Recorder() }
                for size in [0, 10, 1 << 20] {
                    let endpoint = Endpoint.tcp(host: "127.0.0.1", port: listener.port)
                    let stream = try await ByteStream.connect(to: endpoint, on: loop, within: .seconds(10))
                    let recorder = stream.recorded()
                    let mark = live.mark()
                    recorder.onClose = {
                        mark.touch()
                        closes.change { $0 += 1 }
                        // The callback may start new work, which ends, too.
                        loop.schedule(after: .seconds(60)) { mark.touch() }
                        loop.spawn {
                            try? await loop.sleep(for: .seconds(60))
                            mark.touch()
                        }
                    }
                    stream.write([UInt8](repeating: 0, count: size))
                    if size == 10 { stream.finish(linger: .seconds(60)) }
                }
                let mark = live.mark()
                loop.schedule(after: .seconds(60)) { mark.touch() }
                _ = loop.schedule(every: .milliseconds(1)) { mark.touch() }
            }
        }
        #expect(live.count == 8)
        group.stop()
        #expect(closes.value == 6)
        #expect(live.count == 0)
    }

    @Test("Work from many threads while the loops stop is run or refused")
    func race() async throws {
        for _ in 0..<20 {
            let group = LoopGroup(count: 2)
            let accepted = Shared(0)
            let ran = Shared(0)
            try await withThrowingTaskGroup { tasks in
                for _ in 0..<3 {
                    tasks.addTask {
                        try await onThread {
                            while group.loops[0].execute({ ran.change { $0 += 1 } }) {
                                accepted.change { $0 += 1 }
                            }
                        }
                    }
                    tasks.addTask {
                        while (try? await group.loops[1].run({ _ in await Task.yield() })) != nil {}
                    }
                }
                tasks.addTask {
                    _ = try await eventually { accepted.value >= 100 }
                    try await onThread { group.stop() }
                }
                try await tasks.waitForAll()
            }
            #expect(accepted.value == ran.value)
        }
    }
}

/// Counts the marks that are alive.
final class Live: Sendable {
    private let marks = Atomic<Int>(0)

    var count: Int { marks.load(ordering: .acquiring) }

    func mark() -> Mark { Mark(of: self) }

    final class Mark: Sendable {
        private let live: Live

        init(of live: Live) {
            self.live = live
            live.marks.wrappingAdd(1, ordering: .relaxed)
        }

        deinit { live.marks.wrappingSubtract(1, ordering: .releasing) }

        /// Being captured is what a mark is for.
        func touch() {}
    }
}
