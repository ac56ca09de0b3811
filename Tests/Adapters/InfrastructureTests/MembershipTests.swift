import Application
internal import EventLoop
internal import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("The workers' places in the consumer group, on Redis", .tags(.integration))
struct MembershipTests {
    private func names(_ bench: RedisBench) async throws -> [String] {
        let consumers = try await bench.redis("XINFO", "CONSUMERS", bench.keys.jobs(0), Keyspace.group).array ?? []
        return consumers.compactMap { $0.array?[1].string }.sorted()
    }

    @Test("a silent consumer without jobs is removed; one that owns a job stays, with the job")
    func removal() async throws {
        try await withRedis { bench in
            // Ten leases are the limit only above five minutes: sent to Redis directly, so that the test need not wait.
            let (dead, owner, living) = (bench.consumer("dead"), bench.consumer("owner"), bench.consumer("living"))
            let done = try await bench.claimed(by: dead)
            _ = try await dead.finish(bench.finished(done), at: .afterLast)
            let kept = try await bench.claimed(by: owner)
            #expect(try await living.removeIdleConsumers() == 0, "nobody has been silent for five minutes")
            #expect(try await names(bench) == ["dead", "owner"])
            var removed = 0
            let isRemoved = try await eventually {
                removed += try await bench.store.call(
                    RemoveIdleConsumersCall(of: .workers(bench.keys), in: 0, idleFor: .milliseconds(50)),
                )
                return removed > 0
            }
            #expect(isRemoved && removed == 1)
            #expect(try await names(bench) == ["owner"])
            #expect(try await bench.group("pending")?.integer == 1)
            #expect(try await owner.finish(bench.finished(kept), at: .afterLast) == .finished)
        }
    }

    @Test("a live worker that was removed is there again with its next job")
    func comesBack() async throws {
        try await withRedis { bench in
            let worker = bench.consumer("worker")
            let done = try await bench.claimed(by: worker)
            _ = try await worker.finish(bench.finished(done), at: .afterLast)
            // Blocked in XREADGROUP while it is removed.
            let waiting = bench.loop.spawn {
                let deliveries = (try? await worker.receive(upTo: 1)) ?? []
                for delivery in deliveries {
                    if case .claimed = try? await worker.claim(delivery, bench.plan()) { return }
                }
                Issue.record("no job came, or it was not the worker's")
            }
            #expect(try await eventually { try await bench.blockedClients() == 1 })
            await worker.leave()
            #expect(try await names(bench).isEmpty)
            _ = try await bench.submit()
            await waiting.value
            #expect(try await names(bench) == ["worker"])
        }
    }

    @Test("leaving takes a worker off the list only where it owns nothing")
    func leaving() async throws {
        try await withRedis { bench in
            let (worker, other) = (bench.consumer("worker"), bench.consumer("other"))
            let first = try await bench.claimed(by: worker)
            await worker.leave()
            await other.leave()
            #expect(try await names(bench) == ["worker"])
            #expect(try await worker.renew([first.delivery]).lost.isEmpty)
            _ = try await worker.finish(bench.finished(first), at: .afterLast)
            await worker.leave()
            #expect(try await names(bench).isEmpty)
        }
    }
}

extension RedisBench {
    fileprivate func blockedClients() async throws -> Int {
        let text = try await redis("INFO", "clients").string ?? ""
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("blocked_clients:") }
        return line.flatMap { Int($0.dropFirst("blocked_clients:".count)) } ?? 0
    }
}
