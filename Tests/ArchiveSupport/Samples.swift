package import Application
package import Domain
package import Shared

/// Conversations, requests and answers for tests, distinguished by numbers; times are milliseconds after a fixed time.
package struct Samples: Sendable {
    package let user: UserID
    private let number: UInt64

    package init(user: UserID, number: UInt64) {
        self.user = user
        self.number = number
    }

    package static func time(_ milliseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: 1_795_253_400_000 + milliseconds)
    }

    package var conversationID: ConversationID { ConversationID(bits: UUIDBits(high: 0x7000, low: number)) }

    package func conversation(_ title: String? = nil, at milliseconds: Int64 = 0) -> Conversation {
        Conversation(
            id: conversationID,
            userID: user,
            title: title,
            createdAt: Self.time(milliseconds),
            updatedAt: Self.time(milliseconds),
        )
    }

    package func request(_ place: UInt64, _ problem: String = "2x + 3 = 7") -> MathRequest {
        MathRequest(
            correlationID: CorrelationID(bits: UUIDBits(high: number << 16 | 0x7000, low: place)),
            conversationID: conversationID,
            userID: user,
            problem: MathProblem(stored: problem),
            requestedProvider: nil,
            options: SolveOptions(),
        )
    }

    /// Submitted at `milliseconds`.
    package func submitted(_ place: UInt64, at milliseconds: Int64) -> ArchiveEntry {
        .submitted(request(place), createdAt: Self.time(milliseconds))
    }

    /// Submitted at `milliseconds` and finished 100 ms later.
    package func finished(
        _ place: UInt64,
        at milliseconds: Int64,
        _ status: RequestStatus = .completed,
        answer: String = "x = 2",
        attempts: Int = 1,
        ending: EndingIDs? = EndingIDs(end: EventID("1-8"), before: EventID("1-7"))
    ) -> FinishedRequest {
        FinishedRequest(
            request: request(place),
            status: status,
            attempts: attempts,
            createdAt: Self.time(milliseconds),
            startedAt: Self.time(milliseconds + 1),
            finishedAt: Self.time(milliseconds + 100),
            answer: answer,
            provider: "local",
            model: "libqalculate",
            promptVersion: nil,
            finishReason: status == .completed ? .stop : nil,
            cancelReason: status == .cancelled ? .requested : nil,
            failure: status == .failed ? RequestFailure(kind: .providerFailed, detail: "It failed.") : nil,
            usage: TokenUsage(inputTokens: 5, outputTokens: 50, isEstimated: false),
            timings: AnswerTimings(queueMilliseconds: 1, firstTokenMilliseconds: 2, durationMilliseconds: 99),
            ending: ending,
        )
    }
}

/// The time of day of ``Samples``.
package struct SampleClock: WallClock {
    package init() {}
    package func now() -> Timestamp { Samples.time(0) }
}

/// Random numbers for identifiers.
package struct SampleRandom: RandomSource {
    package init() {}
    package func next() -> UInt64 { UInt64.random(in: 0...UInt64.max) }
}
