import Application
import Domain
import EventLoop
import Shared
import TestSupport

extension ManualClock: MonotonicClock {}

/// Tasks of the test's own loop.
struct LoopLocalTasks: LocalTasks {
    let loop: Loop
    func start(_ operation: @escaping () async -> Void) -> Task<Void, Never> { loop.spawn(operation) }
}

/// Always the same number: `fraction` of the whole range.
struct FixedRandom: RandomSource {
    var value: UInt64 = 0
    func next() -> UInt64 { value }

    static let half = FixedRandom(value: 1 << 63)
}

struct FixedWallClock: WallClock {
    var time = Timestamp(milliseconds: 1_795_253_400_000)
    func now() -> Timestamp { time }
}

/// Records published events.
final class BusRecorder: EventBus {
    private(set) var events: [any DomainEvent] = []
    func publish(_ event: some DomainEvent) { events.append(event) }
    func subscribe<Event: DomainEvent>(to _: Event.Type, _ listener: @escaping (Event) -> Void) {}
}

/// Accepts what is published, or fails by script.
final class PublisherFake: MessagePublisher {
    var failure: PublishFailure?
    /// The results of publishing in a named conversation.
    var namedFailure: PublishFailure?
    private(set) var published: [MathRequest] = []
    private(set) var standings: [ConversationStanding] = []
    private var submissions: [IdempotentSubmission: MathRequest] = [:]

    func publish(
        _ request: MathRequest,
        in conversation: ConversationStanding,
        as submission: IdempotentSubmission?
    ) async throws(PublishFailure) -> Publication {
        standings.append(conversation)
        if let failure { throw failure }
        if conversation == .named, let namedFailure { throw namedFailure }
        let created = Timestamp(milliseconds: 1_795_253_400_250)
        if let submission {
            if let earlier = submissions[submission] {
                return Publication(
                    createdAt: created,
                    position: 0,
                    replayed: .init(
                        correlationID: earlier.correlationID,
                        conversationID: earlier.conversationID,
                    ),
                )
            }
            guard !submissions.keys.contains(where: { $0.name == submission.name }) else { throw .keyReused }
            submissions[submission] = request
        }
        published.append(request)
        return Publication(createdAt: created, position: published.count)
    }

    func findEarlier(
        _ submission: IdempotentSubmission,
        for request: MathRequest
    ) async throws(PublishFailure) -> Publication? {
        if failure == .unavailable { throw .unavailable }
        if let earlier = submissions[submission] {
            let ids = Publication.ReplayedRequest(
                correlationID: earlier.correlationID,
                conversationID: earlier.conversationID,
            )
            return Publication(createdAt: Timestamp(milliseconds: 1_795_253_400_250), position: 0, replayed: ids)
        }
        guard !submissions.keys.contains(where: { $0.name == submission.name }) else { throw .keyReused }
        return nil
    }
}

/// Admits everything, or fails as told.
final class AdmissionFake: SubmissionAdmission {
    var failure: AdmissionFailure?
    var admission = Admission.unlimited
    private(set) var charges: [SubmissionCharge] = []
    private(set) var withdrawn: [CorrelationID] = []

    func admit(_ charge: SubmissionCharge) async throws(AdmissionFailure) -> Admission {
        if let failure { throw failure }
        charges.append(charge)
        return admission
    }

    func withdraw(_ charge: SubmissionCharge) async { withdrawn.append(charge.request) }
}

extension Submitter {
    static let anonymous = Submitter(user: .anonymous)
}

/// FNV-1a, twice.
struct ShortFingerprinting: Fingerprinting {
    func fingerprint(_ text: String) -> Fingerprint {
        let hash = text.utf8.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
        let bytes = (0..<8).map { UInt8(hash >> (8 * UInt64($0)) & 0xFF) }
        return Fingerprint(bytes + bytes)
    }
}

/// Requests in memory.
final class RepositoryFake: RequestRepository {
    var records: [CorrelationID: RequestRecord] = [:]
    var answers: [CorrelationID: String] = [:]
    var lastEvents: [CorrelationID: EventID] = [:]
    var isAway = false
    private(set) var notedLost: [EventID] = []
    var onCancel: (MathRequest, CancelReason) -> CancelResult = { _, _ in .asked }
    /// The record that every further read returns.
    var onFind: ((RequestRecord) -> RequestRecord)?

    func find(_ id: CorrelationID) async throws(RepositoryFailure) -> RequestRecord? {
        if isAway { throw .unavailable }
        let record = records[id]
        if let record, let onFind { records[id] = onFind(record) }
        return record
    }

    func answer(of id: CorrelationID) async throws(RepositoryFailure) -> String? {
        if isAway { throw .unavailable }
        return answers[id]
    }

    func lastEvent(of id: CorrelationID) async throws(RepositoryFailure) -> EventID? {
        if isAway { throw .unavailable }
        return lastEvents[id]
    }

    func noteLost(_ event: EventID, of id: CorrelationID) async throws(RepositoryFailure) {
        if isAway { throw .unavailable }
        notedLost.append(event)
    }

    func cancel(_ request: MathRequest, _ reason: CancelReason) async throws(RepositoryFailure) -> CancelResult {
        if isAway { throw .unavailable }
        return onCancel(request, reason)
    }
}

func identifier(_ number: UInt64) -> CorrelationID {
    CorrelationID(bits: UUIDBits(version7At: Timestamp(milliseconds: 1_795_253_400_000), random: (0, number)))
}

func sampleRequest(_ number: UInt64 = 1, user: UserID = .anonymous, provider: String? = nil) -> MathRequest {
    MathRequest(
        correlationID: identifier(number),
        conversationID: ConversationID(bits: UUIDBits(high: 1, low: number)),
        userID: user,
        problem: MathProblem(stored: "2x + 3 = 7"),
        requestedProvider: provider,
        options: SolveOptions(),
    )
}

func sampleRecord(
    _ status: RequestStatus,
    attempts: Int = 0,
    user: UserID = .anonymous,
    lost: [EventID] = []
) -> RequestRecord {
    RequestRecord(
        request: sampleRequest(user: user),
        status: status,
        attempts: attempts,
        createdAt: Timestamp(milliseconds: 0),
        startedAt: nil,
        finishedAt: nil,
        provider: nil,
        model: nil,
        finishReason: nil,
        usage: nil,
        failure: nil,
        jobNumber: 1,
        lost: lost,
    )
}
