import Application
import Domain
import EventLoop
import Instrumentation
import RedisClient
import Shared
import Telemetry
import TestSupport
import Text

@testable import Infrastructure

/// The adapters of one loop on a real Redis of the test's own.
final class RedisBench {
    let server: RedisServer
    let loop: Loop
    let configuration: RedisConfiguration
    static let retention = Retention(live: .seconds(7200), afterEnd: .seconds(60), turns: 4)

    let keys = Keyspace(partitions: 1)
    let store: RedisStore
    /// What is joined in each append.
    let appends = LemmaMetrics(MetricsRegistry()).work.appendTokens
    let pushes: RedisPushes
    let writers: RedisAnswerLogWriter
    let repository: RedisRequestRepository
    private let identifiers = IdentifierFactory(clock: SystemClock(), random: SecureRandomSource())
    private let probe: RedisCommander
    private var consumers: [RedisMessageConsumer] = []
    private var queues: [RedisRecordQueue] = []

    /// The adapters log in as `user` (`name:password@`) or as the default user; the test's own commands are always
    /// sent as the default user.
    init(_ server: RedisServer, _ loop: Loop, as user: String = "") throws {
        self.server = server
        self.loop = loop
        configuration = try RedisConfiguration(url: RedisURL("redis://\(user)127.0.0.1:\(server.port)"))
        store = RedisStore(
            configuration,
            keys: keys,
            retention: Self.retention,
            on: loop,
            connection: nil,
            bus: LocalEventBus(),
        )
        // With very short pauses.
        let backoff = Backoff(base: .milliseconds(20), cap: .milliseconds(50), random: SecureRandomSource())
        pushes = RedisPushes(store: store, backoff: backoff)
        writers = RedisAnswerLogWriter(store: store, backoff: backoff, appends: appends)
        repository = RedisRequestRepository(store: store)
        probe = RedisCommander(try RedisConfiguration(url: RedisURL(server.url)), on: loop)
    }

    /// Another store on the same Redis; the test closes it.
    func store(
        partitions: Int,
        retention: Retention = RedisBench.retention,
        observer: (any RedisStoreObserver)? = nil
    ) -> RedisStore {
        RedisStore(
            configuration,
            keys: Keyspace(partitions: partitions),
            retention: retention,
            on: loop,
            observer: observer,
            connection: nil,
            bus: LocalEventBus(),
        )
    }

    func close() {
        for queue in queues { queue.close() }
        for consumer in consumers { consumer.close() }
        pushes.close()
        store.close()
        probe.close()
    }

    // MARK: Adapters

    var answers: RedisAnswerLogReader { pushes.answers }

    /// Without a limit to the requests that wait in one conversation.
    func publisher(waitingMax: Int = 100_000) -> RedisMessagePublisher {
        var limits = RedisMessagePublisher.Limits(waiting: waitingMax)
        limits.waitingInConversation = .max
        return RedisMessagePublisher(store: store, limits: limits)
    }

    func consumer(
        _ name: String = "a",
        lease: Duration = .seconds(30),
        attemptsMax: Int = 3,
        observer: (any StreamEntryObserver)? = nil
    ) -> RedisMessageConsumer {
        let consumer = RedisMessageConsumer(
            store: store,
            consumer: name,
            terms: .init(
                lease: lease,
                attemptsMax: attemptsMax,
            ),
            observer: observer,
        )
        consumers.append(consumer)
        return consumer
    }

    var conversations: RedisConversations { RedisConversations(store: store) }

    /// A queue whose group has been made.
    func recordQueue(
        _ name: String = "a",
        observer: (any StreamEntryObserver)? = nil
    ) async throws -> RedisRecordQueue {
        let queue = RedisRecordQueue(store: store, consumer: name, observer: observer)
        queues.append(queue)
        var command = RedisCommand("XGROUP", "CREATE", keys.finished(0), Keyspace.persisters, "0")
        command.append("MKSTREAM")
        // There is one already where another queue has been made.
        _ = try? await store.call(command, in: 0)
        return queue
    }

    // MARK: Steps

    func makeRequest(
        provider: String? = nil,
        user: UserID = .anonymous,
        in conversation: ConversationID? = nil,
        onBusy: SolveOptions.OnBusy = .enqueue
    ) -> MathRequest {
        let conversation = conversation ?? identifiers.make()
        return MathRequest(
            correlationID: identifiers.make(in: conversation.bits.lane),
            conversationID: conversation,
            userID: user,
            problem: MathProblem(stored: "2x + 3 = 7"),
            requestedProvider: provider,
            options: SolveOptions([
                .temperature: .number(0.5), .maxOutputTokens: .integer(100), .onBusy: .text(onBusy.rawValue),
            ]),
        )
    }

    /// Submits a further request of the same conversation and user.
    @discardableResult
    func submit(
        after request: MathRequest,
        onBusy: SolveOptions.OnBusy = .enqueue
    ) async throws -> MathRequest {
        let next = makeRequest(user: request.userID, in: request.conversationID, onBusy: onBusy)
        _ = try await publisher().publish(next, in: .named, as: nil)
        return next
    }

    func submit(provider: String? = nil) async throws -> MathRequest {
        let request = makeRequest(provider: provider)
        _ = try await publisher().publish(request, in: .new, as: nil)
        return request
    }

    func plan(_ reason: RestartReason = .workerLost) -> AttemptPlan {
        AttemptPlan(provider: "mock", model: "mock-1", restartReason: reason)
    }

    /// Submits, receives and claims a job.
    func claimed(by consumer: RedisMessageConsumer) async throws -> JobClaim {
        _ = try await submit()
        return try await claimNext(by: consumer)
    }

    /// Receives and claims the next job.
    func claimNext(by consumer: RedisMessageConsumer) async throws -> JobClaim {
        guard let delivery = try await consumer.receive(upTo: 1).first,
            case .claimed(let claim) = try await consumer.claim(delivery, plan())
        else { throw NeverHappened(what: "a claimed job") }
        return claim
    }

    func finished(
        _ claim: JobClaim,
        _ outcome: AnswerOutcome = .completed(.stop),
        answer: String? = "x = 2"
    ) -> FinishedAttempt {
        FinishedAttempt(
            claim: claim,
            outcome: outcome,
            answer: answer,
            account: ProviderAccount(
                provider: ProviderIdentity(name: "mock", model: "mock-1", promptVersion: "prompt-1"),
                usage: TokenUsage(inputTokens: 4, outputTokens: 2, reasoningTokens: 1, isEstimated: true),
            ),
            firstTokenMilliseconds: 1,
            durationMilliseconds: 2,
        )
    }

    /// The place at which the writer of the newest attempt ends the request.
    func writersPlace(_ claim: JobClaim) async throws -> FinishPlace {
        guard let last = try await repository.lastEvent(of: claim.request.correlationID) else {
            throw NeverHappened(what: "an event")
        }
        return .id(last.next)
    }

    /// Cancels a request of which the caller knows only the id.
    func cancel(_ id: CorrelationID, _ reason: CancelReason) async throws -> CancelResult {
        let request = try await repository.find(id)?.request ?? makeRequest()
        return try await repository.cancel(request, reason)
    }

    /// Begins the deletion of a request's conversation.
    func end(_ request: MathRequest, of user: UserID? = nil, isArchived: Bool = false) async throws -> Bool {
        try await conversations.beginDeletion(
            of: request.conversationID,
            by: user ?? request.userID,
            isArchived: isArchived,
        )
    }

    func record(_ id: CorrelationID) async throws -> RequestRecord {
        guard let record = try await repository.find(id) else { throw NeverHappened(what: "a record") }
        return record
    }

    /// Calls the library's append as a writer does.
    func append(_ id: String, _ text: String, to claim: JobClaim) async throws -> Int? {
        let request = claim.request.correlationID
        var command = RedisCommand("FCALL", store.functions.append, 1, keys.events(request), id, "token")
        command.append(EventData.text(text))
        command.append(keys.live(request))
        return try await store.connection(of: request).call(command).integer
    }

    // MARK: Reading

    /// A command on a connection that no adapter uses.
    @discardableResult
    func redis(_ arguments: String...) async throws -> RedisValue {
        var command = RedisCommand(arguments[0])
        command.append(contentsOf: arguments.dropFirst())
        return try await probe.call(command, deadline: .seconds(5))
    }

    /// The keys that contain a text, in their names or in their values.
    func mentions(of text: String) async throws -> [String] {
        let reply = try await redis("EVAL", RedisServer.mentionsScript, "0", text)
        return (reply.array ?? []).compactMap(\.string).sorted()
    }

    /// Every stored event as it is pushed: `<id> <name> <data>`.
    func events(of id: CorrelationID) async throws -> [String] {
        let entries = try await redis("XRANGE", keys.events(id), "-", "+").array ?? []
        return entries.compactMap { EntryHead($0) }.map {
            "\($0.id) \(text($0.name ?? [])) \(text($0.data))"
        }
    }

    /// `<id> <name>` of every stored event.
    func eventNames(of id: CorrelationID) async throws -> [String] {
        try await events(of: id).map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
    }

    /// A field of the workers' group (XINFO GROUPS).
    func group(_ field: String) async throws -> RedisValue? {
        let groups = try await redis("XINFO", "GROUPS", keys.jobs(0)).array ?? []
        let fields = groups.first?.array ?? []
        return fields.firstIndex { $0.string == field }.map { fields[$0 + 1] }
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// Runs `body` with a Redis and a loop of its own.
func withRedis(
    _ options: RedisServer.Options = RedisServer.Options(),
    as user: String = "",
    _ body: @escaping @Sendable (RedisBench) async throws -> Void
) async throws {
    try await RedisServer.running(options) { server in
        try await onLoop { loop in
            let bench = try RedisBench(server, loop, as: user)
            defer { bench.close() }
            try await body(bench)
        }
    }
}

/// Keeps what is published on one channel.
final class ChannelRecorder: RedisSubscriberDelegate {
    private(set) var messages: [String] = []

    func subscriberDidReceive(_ payload: Span<UInt8>, on channel: Span<UInt8>) {
        messages.append(String(repairing: payload))
    }

    func subscriberDidLoseConnection() {}
    func subscriberDidReconnect() {}
}
