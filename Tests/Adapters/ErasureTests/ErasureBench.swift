import Application
import Domain
import EventLoop
import Infrastructure
import Instrumentation
import Persistence
import PostgresClient
import RedisClient
import Shared
import Telemetry
import TestSupport
import Worker

/// Submissions, a worker and a persister on a real Redis and a real PostgreSQL, all on one loop.
final class ErasureBench {
    let loop: Loop
    let database: PostgresTestDatabase
    let access: PostgresDatabase
    let store: RedisStore
    let consumer: RedisMessageConsumer
    /// Jobs that the worker runs until they are cancelled.
    private var running: [JobClaim] = []
    private let publisher: RedisMessagePublisher
    private let queue: RedisRecordQueue
    private let probe: RedisCommander
    private let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
    private var persister: Persister?
    private var worker: PeriodicTask?

    init(_ redis: RedisServer, _ database: PostgresTestDatabase, _ access: PostgresDatabase, on loop: Loop) throws {
        self.loop = loop
        self.database = database
        self.access = access
        let configuration = try RedisConfiguration(url: RedisURL(redis.url))
        store = RedisStore(
            configuration,
            keys: Keyspace(partitions: 4),
            retention: Retention(live: .seconds(7200), afterEnd: .seconds(600), turns: 4),
            on: loop,
            connection: nil,
        )
        publisher = RedisMessagePublisher(store: store, limits: .init(waiting: 100_000))
        consumer = RedisMessageConsumer(store: store, consumer: "w", terms: .init(lease: .seconds(60), attemptsMax: 3))
        queue = RedisRecordQueue(store: store, consumer: "p")
        probe = RedisCommander(configuration, on: loop)
    }

    func close() {
        worker?.cancel()
        persister?.close()
        queue.close()
        consumer.close()
        store.close()
        probe.close()
    }

    // MARK: Accounts

    var archive: PostgresRequestArchive { PostgresRequestArchive(access, identifiers: identifiers) }

    func addAccount(_ name: String) async throws -> AccountID {
        let account = Account(
            id: identifiers.make(),
            email: try EmailAddress("\(name)@example.org"),
            displayName: name,
            roles: [.student],
            origin: .password,
            isDisabled: false,
            createdAt: SystemClock().now(),
        )
        try await PostgresAccountRepository(access).add(account, PasswordHash("digest"))
        let secret = SHA256Fingerprinting().fingerprint("key of \(name)")
        let key = APIKey(
            id: identifiers.make(),
            owner: account.id,
            name: name,
            scopes: [.solve],
            limits: .none,
            actsForEndUsers: true,
            createdAt: account.createdAt,
            expiresAt: nil,
        )
        try await PostgresAPIKeyRepository(access).add(key, secret: secret)
        try await PostgresSessionRepository(access).begin(
            identifiers.make(),
            of: account.id,
            token: secret,
            at: account.createdAt,
            expiresAt: Timestamp(milliseconds: account.createdAt.milliseconds + 3_600_000),
        )
        return account.id
    }

    func handler(
        _ archive: (any ArchiveErasure)? = nil,
        _ queue: (any QueueErasure)? = nil
    ) -> EraseAccountHandler {
        EraseAccountHandler(
            archive: archive ?? PostgresArchiveErasure(access),
            queue: queue ?? RedisQueueErasure(store: store),
            clock: LoopClock(loop: loop),
            withdrawalTime: .zero,
            waitLimit: .seconds(60),
        )
    }

    // MARK: Requests

    @discardableResult
    func submit(by user: UserID, after earlier: MathRequest? = nil) async throws -> MathRequest {
        let conversation = earlier?.conversationID ?? identifiers.make()
        let request = MathRequest(
            correlationID: identifiers.make(in: conversation.bits.lane),
            conversationID: conversation,
            userID: user,
            problem: MathProblem(stored: "2x + 3 = 7"),
            requestedProvider: nil,
            options: SolveOptions(),
        )
        _ = try await publisher.publish(request, in: earlier == nil ? .new : .named, as: nil)
        return request
    }

    private func claimNext() async throws -> JobClaim {
        let plan = AttemptPlan(provider: "mock", model: "mock-1", restartReason: .workerLost)
        guard let delivery = try await consumer.receive(upTo: 1).first,
            case .claimed(let claim) = try await consumer.claim(delivery, plan)
        else { throw NeverHappened(what: "a claimed job") }
        return claim
    }

    private func end(_ claim: JobClaim, _ outcome: AnswerOutcome, letter: DeadLetterReason? = nil) async throws {
        let attempt = FinishedAttempt(
            claim: claim,
            outcome: outcome,
            answer: "x = 2",
            account: ProviderAccount(
                provider: ProviderIdentity(name: "mock", model: "mock-1"),
                usage: TokenUsage(inputTokens: 4, outputTokens: 2, isEstimated: true),
            ),
            firstTokenMilliseconds: 1,
            durationMilliseconds: 2,
        )
        _ = try await consumer.finish(attempt, at: .afterLast, letter: letter)
    }

    /// Submits a request whose job is the only one that waits, and ends it.
    func submitEnded(
        by user: UserID,
        after earlier: MathRequest? = nil,
        letter: DeadLetterReason? = nil
    ) async throws -> MathRequest {
        let request = try await submit(by: user, after: earlier)
        let claim = try await claimNext()
        let failure = RequestFailure(kind: .providerFailed, detail: "broken")
        try await end(claim, letter == nil ? .completed(.stop) : .failed(failure), letter: letter)
        return request
    }

    /// Submits a request whose job is the only one that waits; the worker runs it until it is cancelled.
    func submitRunning(by user: UserID) async throws -> MathRequest {
        let request = try await submit(by: user)
        running.append(try await claimNext())
        return request
    }

    /// Submits more requests than a conversation has turns, ends and archives them, and deletes it as a user does.
    func submitDeleted(by user: UserID) async throws {
        let request = try await submitEnded(by: user)
        for _ in 0..<6 { _ = try await submitEnded(by: user, after: request) }
        try await waitForArchive()
        let (id, activity) = (request.conversationID, RedisConversations(store: store))
        _ = try await activity.beginDeletion(of: id, by: user, isArchived: true)
        let conversations = PostgresConversationRepository(access)
        _ = try await conversations.delete(id, of: user, isExpected: true, at: SystemClock().now())
    }

    /// The worker looks for cancellations from now on, as it does with each renewal of its leases.
    func startWorker() {
        worker = PeriodicTask(every: .milliseconds(20), on: loop) { [self] in
            let report = try? await consumer.renew(running.map(\.delivery))
            for (delivery, reason) in report?.cancelled ?? [] {
                guard let place = running.firstIndex(where: { $0.delivery.entry == delivery.entry }) else { continue }
                try? await end(running.remove(at: place), .cancelled(reason))
            }
        }
    }

    // MARK: Records

    func startPersister() {
        let output = LogOutput(descriptor: -1, service: "test", version: "0", level: .error, format: .json)
        let persister = Persister(
            loop: loop,
            queue: queue,
            membership: queue,
            archive: archive,
            erasure: RedisQueueErasure(store: store),
            backoff: Backoff(random: SecureRandomSource()),
            metrics: LemmaMetrics(MetricsRegistry()).persister,
            logger: Logger(output: output),
            observer: nil,
        )
        self.persister = persister
        persister.start()
    }

    /// What has been submitted so far is archived, and nothing more is from now on.
    func stopPersister() async throws {
        try await waitForArchive()
        await persister?.drain(within: .seconds(20))
        persister?.close()
        persister = nil
    }

    func waitForArchive() async throws {
        let isEmpty = try await eventually { try await queue.backlog() == .none }
        guard isEmpty else { throw NeverHappened(what: "the archive has every record") }
    }

    /// Dead-letters the oldest records that wait, as the persister does with those that PostgreSQL refuses.
    func deadLetterRecords(_ count: Int) async throws {
        for record in try await queue.receive(upTo: count, waiting: false) {
            try await queue.deadLetter(record, detail: "refused")
        }
    }

    // MARK: Looking

    @discardableResult
    func redis(_ words: [String]) async throws -> RedisValue {
        var command = RedisCommand(words[0])
        command.append(contentsOf: words.dropFirst())
        return try await probe.call(command, deadline: .seconds(30))
    }

    /// Keys of Redis and tables of PostgreSQL that contain a text.
    func mentions(of text: String) async throws -> [String] {
        let keys = try await redis(["EVAL", RedisServer.mentionsScript, "0", text]).array ?? []
        let tables = try database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split(
            separator: "\n"
        )
        let found = try tables.filter { table in
            try database.sql("SELECT count(*) FROM \(table) AS t WHERE t::text LIKE '%\(text)%'") != "0"
        }
        return (keys.compactMap(\.string) + found.map(String.init)).sorted()
    }

    /// What Redis has of an account and its end users.
    struct Inventory: Equatable {
        var requests = 0
        var conversations = 0
        var letters = 0
    }

    func inventory(of account: AccountID) async throws -> Inventory {
        var inventory = Inventory()
        for partition in 0..<4 {
            inventory.requests += try await count("lemma:{p\(partition)}:request:*", of: account)
            inventory.conversations += try await count("lemma:{p\(partition)}:conversation:*", of: account)
            for stream in ["dead", "finished-dead"] {
                let entries = try await redis(["XRANGE", "lemma:{p\(partition)}:\(stream)", "-", "+"]).array ?? []
                let texts = entries.map { $0.array?.last?.array?.compactMap(\.string) ?? [] }
                inventory.letters += texts.filter { $0.contains { $0.hasPrefix(account.description) } }.count
            }
        }
        return inventory
    }

    private func count(_ pattern: String, of account: AccountID) async throws -> Int {
        var count = 0
        for key in (try await redis(["KEYS", pattern]).array ?? []).compactMap(\.string) {
            let user = try await redis(["HGET", key, "user"]).string ?? ""
            if user.hasPrefix(account.description) { count += 1 }
        }
        return count
    }
}

/// Runs `body` with stores of its own.
func withErasure(_ body: @escaping @Sendable (ErasureBench) async throws -> Void) async throws {
    try await RedisServer.running { redis in
        let database = try PostgresServer.shared.get().database()
        try await onLoop { loop in
            var configuration = try PostgresConfiguration(uri: database.url, applicationName: "lemma-test")
            configuration.connectLimit = .seconds(30)
            _ = try await Migrator(configuration, on: loop).migrate()
            let pool = PostgresPool(configuration, on: loop)
            defer { pool.close() }
            let access = PostgresDatabase(LoopBound(pool, of: loop))
            let bench = try ErasureBench(redis, database, access, on: loop)
            defer { bench.close() }
            try await body(bench)
        }
    }
}
