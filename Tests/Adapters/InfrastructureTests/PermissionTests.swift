import Application
import Domain
import EventLoop
import FoundationEssentials
import RedisClient
import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("What the Redis user may not do", .tags(.integration))
struct PermissionTests {
    /// The smallest ACL that works, as docs/operations.md has it.
    private static func smallest() throws -> String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let lines = textOfFile("/\(root)/docs/operations.md").split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("user lemma on ") })
        return String(line.replacing("user lemma on >PASSWORD ", with: "lemma on >pw "))
    }

    private func withUser(
        _ user: String,
        _ body: @escaping @Sendable (RedisServer, RedisStore, RedisCommander) async throws -> Void
    ) async throws {
        var options = RedisServer.Options()
        options.users = [user]
        try await RedisServer.running(options) { server in
            try await onLoop { loop in
                let url = "redis://lemma:pw@127.0.0.1:\(server.port)"
                var configuration = try RedisConfiguration(url: RedisURL(url))
                // Shorter than a command waits for a connection: the next connection has been checked by then.
                configuration.backoff = .milliseconds(5)...Duration.milliseconds(50)
                let keys = Keyspace(partitions: 1)
                let store = RedisStore(
                    configuration,
                    keys: keys,
                    retention: RedisBench.retention,
                    on: loop,
                    connection: nil,
                )
                let operatorConnection = RedisCommander(
                    try RedisConfiguration(url: RedisURL(server.url)),
                    on: loop,
                )
                defer {
                    store.close()
                    operatorConnection.close()
                }
                try await body(server, store, operatorConnection)
            }
        }
    }

    private func reason(_ store: RedisStore) async -> String {
        do {
            try await store.probe()
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "is named by readiness, and nothing is written without it",
        arguments: [
            ("resetchannels ~lemma:* +@all", "the channels lemma:*"), ("&* ~other:* +@all", "the keys lemma:*"),
            ("&* ~lemma:* +@all -xadd", "XADD"), ("&* ~lemma:* +@all -fcall", "FCALL"),
            ("&* ~lemma:* +@all -function|load", "FUNCTION|LOAD"), ("&* ~lemma:* +@all -ssubscribe", "SSUBSCRIBE"),
            ("&* ~lemma:* +@all -xgroup|create -hset", "HSET, XGROUP|CREATE"),
            ("&* ~lemma:* +@all -del", "DEL"), ("&* ~lemma:* +@all -xread", "XREAD"),
            ("&* ~lemma:* +@all -spublish", "SPUBLISH"),
        ]
    )
    func named(_ permissions: String, _ missing: String) async throws {
        try await withUser("lemma on >pw \(permissions)") { _, store, outside in
            let why = await reason(store)
            #expect(why.contains("the Redis user lacks permissions: \(missing) "), "\(why)")
            let publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 10))
            let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
            let conversation = identifiers.make(ConversationID.self)
            let request = MathRequest(
                correlationID: identifiers.make(in: conversation.bits.lane),
                conversationID: conversation,
                userID: .anonymous,
                problem: MathProblem(stored: "1"),
                requestedProvider: nil,
                options: SolveOptions(),
            )
            await #expect(throws: PublishFailure.unavailable) {
                _ = try await publisher.publish(request, in: .new, as: nil)
            }
            let keys = try await outside.call(RedisCommand("DBSIZE"), deadline: .seconds(5)).integer
            #expect(keys == 0)
        }
    }

    @Test("the check tries every command that the library and its clients use")
    func complete() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let folder = "\(root)/Sources/Adapters/Infrastructure/Messaging"
        let library = FunctionLibrary.current.code
        let table = try #require(library.split(separator: "local commands = {").last?.split(separator: "\n}\n").first)
        let tried = Set(table.matches(of: /\{ '([A-Z]+)'/).map { String($0.1) })
        var used = Set(library.matches(of: /p?call\('([A-Z]+)'/).map { String($0.1) })
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where name.hasSuffix(".swift") {
            let code = textOfFile("\(folder)/\(name)")
            used.formUnion(code.matches(of: /RedisCommand\(\s*"([A-Z]+)"/).map { String($0.1) })
        }
        // Tried by other means, or not needed: `INFO` for a warning, `CLIENT` and `PING` of a connection, the probe's own.
        let others: Set = [
            "DEL", "PEXPIRE", "SPUBLISH", "FCALL", "FUNCTION", "SSUBSCRIBE", "INFO", "CLIENT", "PING",
        ]
        #expect(used.count > 30)
        #expect(used.subtracting(tried).subtracting(others).isEmpty)
    }

    @Test("that is taken away while Lemma runs is named, and nothing needs a restart once it is given back")
    func atRunTime() async throws {
        try await withUser("lemma on >pw &* ~lemma:* +@all") { _, store, outside in
            #expect(await reason(store) == "none")
            func change(_ right: String) async throws {
                _ = try await outside.call(RedisCommand("ACL", "SETUSER", "lemma", right), deadline: .seconds(5))
            }
            try await change("-xadd")
            let closed = try await eventually {
                _ = try? await store.call(QueueStateCall(in: 0, Keyspace(partitions: 1)))
                _ = try? await store.call(RedisCommand("XADD", "lemma:{p0}:permissions", "*", "a", "b"), in: 0)
                return await reason(store).contains("XADD")
            }
            #expect(closed)
            try await change("+xadd")
            #expect(try await eventually { await reason(store) == "none" })
        }
    }

    @Test("a permission to subscribe that is revoked at run time is named by readiness until it is granted again")
    func subscriptionAtRunTime() async throws {
        try await withUser("lemma on >pw &* ~lemma:* +@all") { _, store, outside in
            #expect(await reason(store) == "none")
            for permission in ["ssubscribe", "sunsubscribe"] {
                _ = try await outside.call(
                    RedisCommand("ACL", "SETUSER", "lemma", "-\(permission)"),
                    deadline: .seconds(5),
                )
                let named = "the Redis user lacks permissions: \(permission.uppercased()) "
                // The second time by a later connection, which is checked before it is used; a probe in between may
                // find that there is no connection.
                for _ in 0..<2 { #expect(try await eventually { await reason(store).contains(named) }) }
                _ = try await outside.call(
                    RedisCommand("ACL", "SETUSER", "lemma", "+\(permission)"),
                    deadline: .seconds(5),
                )
                #expect(try await eventually { await reason(store) == "none" })
            }
        }
    }

    @Test("the smallest ACL that works stands in the documents, and Redis logs no denied command")
    func smallestWorks() async throws {
        var options = RedisServer.Options()
        options.users = [try Self.smallest()]
        try await withRedis(options, as: "lemma:pw@") { bench in
            let consumer = bench.consumer()
            #expect(try await consumer.receive(upTo: 1, within: .milliseconds(10)).isEmpty)
            let first = try await bench.submit()
            let waiting = try await bench.submit(after: first)
            let claim = try await bench.claimNext(by: consumer)
            let viewer = try await bench.watch(first.correlationID)
            let writer = bench.writers.writer(for: claim)
            writer.append(.token, "x = 2")
            _ = try await writer.flush()
            #expect(try await consumer.renew([claim.delivery]).lost.isEmpty)
            #expect(try await bench.cancel(waiting.correlationID, .requested) == .over)
            let failure = RequestFailure(kind: .providerFailed, detail: "broken")
            _ = try await consumer.scheduleRetry(claim, for: .zero, .providerFailed, failure, answer: "x")
            #expect(try await eventually { try await consumer.enqueueDue(upTo: 1) == 1 })
            let again = try await bench.claimNext(by: consumer)
            let end = try await bench.writersPlace(again)
            let result = try await consumer.finish(bench.finished(again), at: end, letter: .attemptsExhausted)
            #expect(result == .finished)
            #expect(try await eventually { viewer.end == .terminal })
            let letters = RedisDeadLetters(store: bench.store)
            let letter = try #require(try await letters.list(upTo: 1).first)
            let redriven = bench.makeRequest(in: first.conversationID).correlationID
            #expect(try await letters.redrive(letter.name, as: redriven) == .redriven)
            let queue = try await bench.recordQueue()
            try await queue.acknowledge(try await queue.receive(upTo: 99, waiting: false))
            _ = try await queue.backlog()
            _ = try await consumer.removeIdleConsumers()
            _ = try await consumer.receive(upTo: 9, within: .milliseconds(1))
            let reading = bench.loop.spawn { _ = try? await consumer.receive(upTo: 1, within: .seconds(60)) }
            #expect(
                try await eventually {
                    try await bench.redis("INFO", "clients").string?.contains("blocked_clients:1") == true
                }
            )
            consumer.stopWaiting()
            await reading.value
            await consumer.leave()
            #expect(try await bench.end(first))
            await OrphanSweep(
                store: bench.store,
                consumer: consumer,
                lease: .zero,
                choice: ProviderIdentity(name: "mock", model: "mock-1"),
            ).sweep()
            let erasure = RedisQueueErasure(store: bench.store)
            let erased = ErasedConversation(
                id: first.conversationID,
                user: first.userID,
                requests: [first.correlationID, waiting.correlationID],
            )
            #expect(try await erasure.erase(erased))
            #expect(try await erasure.eraseDeadLetters(of: AccountID(bits: first.correlationID.bits)))
            #expect(try await !erasure.hasArchived(try await erasure.newestRecords()))
            #expect(try await bench.redis("ACL", "LOG").array?.isEmpty == true)
        }
    }
}
