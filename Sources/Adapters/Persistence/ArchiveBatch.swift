internal import Application
internal import Domain
internal import PostgresClient
internal import Shared

/// A batch of records as parameter arrays, with one row for each request and each conversation.
struct ArchiveBatch {
    /// The records of one conversation in the batch.
    private struct ConversationSpan {
        let id: ConversationID
        let userID: UserID
        let firstProblem: MathProblem
        let from: Timestamp
        let to: Timestamp
    }

    private let requests: [(entry: ArchiveEntry, createdAt: Timestamp, updatedAt: Timestamp)]
    private let conversations: [ConversationSpan]
    private let identifiers: IdentifierFactory

    init(_ entries: [ArchiveEntry], identifiers: IdentifierFactory) {
        self.identifiers = identifiers
        var latest: [CorrelationID: ArchiveEntry] = [:]
        for entry in entries {
            switch entry {
            case .finished: latest[entry.request.correlationID] = entry
            case .submitted: latest[entry.request.correlationID] = latest[entry.request.correlationID] ?? entry
            }
        }
        requests = latest.values.map { entry in
            switch entry {
            case .submitted(_, let createdAt): (entry, createdAt, createdAt)
            case .finished(let finished): (entry, finished.createdAt, finished.finishedAt)
            }
        }
        var spans: [ConversationID: ConversationSpan] = [:]
        for (entry, createdAt, updatedAt) in requests {
            let id = entry.request.conversationID
            let known = spans[id]
            let isFirst = createdAt < known?.from ?? .distantFuture
            spans[id] = ConversationSpan(
                id: id,
                userID: known?.userID ?? entry.request.userID,
                firstProblem: isFirst ? entry.request.problem : known?.firstProblem ?? entry.request.problem,
                from: min(known?.from ?? createdAt, createdAt),
                to: max(known?.to ?? updatedAt, updatedAt),
            )
        }
        conversations = Array(spans.values)
    }

    /// The accounts that the requests belong to.
    private var accounts: Set<AccountID> { Set(requests.compactMap { $0.entry.request.userID.account }) }

    /// The statements, and the place of the one that returns the accounts whose entries are discarded; nil without any
    /// account.
    var calls: (calls: [PostgresCall], discardedAt: Int?) {
        let accounts = accounts
        let check = [ErasureLock.shared(), ArchiveStatements.missing(.uuids(accounts.map { PostgresUUID($0) }))]
        let writes = [
            PostgresCall(ArchiveStatements.open, conversationColumns + [titles, conversationAccounts]),
            ArchiveStatements.lock(.uuids(conversations.map { PostgresUUID($0.id) })),
            PostgresCall(ArchiveStatements.keep, requestColumns + answerColumns),
            PostgresCall(ArchiveStatements.touch, conversationColumns),
        ]
        return accounts.isEmpty ? (writes, nil) : (check + writes, 1)
    }

    private var conversationColumns: [PostgresValue] {
        [
            .uuids(conversations.map { PostgresUUID($0.id) }),
            .texts(conversations.map { $0.userID.text.storable }),
            .timestamps(conversations.map { PostgresTimestamp($0.from) }),
            .timestamps(conversations.map { PostgresTimestamp($0.to) }),
        ]
    }

    private var titles: PostgresValue {
        .texts(conversations.map { ConversationTitle(of: $0.firstProblem).text.storable })
    }

    private var conversationAccounts: PostgresValue {
        .uuids(conversations.map { $0.userID.account.map { PostgresUUID($0) } })
    }

    private var requestColumns: [PostgresValue] {
        let all = requests.map { $0.entry.request }
        let options = all.map(\.options)
        return [
            .uuids(all.map { PostgresUUID($0.correlationID) }),
            .uuids(all.map { PostgresUUID($0.conversationID) }),
            .texts(all.map { $0.userID.text.storable }),
            .texts(all.map { $0.problem.text.storable }),
            .texts(all.map { $0.requestedProvider?.storable }),
            .texts(
                requests.map { request in
                    switch request.entry {
                    case .submitted: RequestStatus.queued.rawValue
                    case .finished(let finished): finished.status.rawValue
                    }
                }
            ),
            .timestamps(requests.map { PostgresTimestamp($0.createdAt) }),
            .timestamps(requests.map { PostgresTimestamp($0.updatedAt) }),
        ] + SolveOption.allCases.map { $0.column(options) } + [
            .uuids(all.map { $0.userID.account.map { PostgresUUID($0) } })
        ]
    }

    private var answerColumns: [PostgresValue] {
        let all: [FinishedRequest] = requests.compactMap { request in
            switch request.entry {
            case .submitted: nil
            case .finished(let finished): finished
            }
        }
        func texts(_ text: (FinishedRequest) -> String?) -> PostgresValue { .texts(all.map { text($0)?.storable }) }
        func numbers(_ number: (FinishedRequest) -> Int?) -> PostgresValue {
            .integers(all.map { number($0).map { Int64($0) } })
        }
        return [
            .uuids(all.map { _ in PostgresUUID(identifiers.make(ResponseID.self)) }),
            .uuids(all.map { PostgresUUID($0.request.correlationID) }),
            texts(\.answer), numbers(\.attempts), texts(\.provider), texts(\.model), texts(\.promptVersion),
            texts(\.finishReason?.rawValue), texts(\.cancelReason?.rawValue), texts(\.failure?.kind.rawValue),
            texts(\.failure?.detail), numbers(\.usage?.inputTokens), numbers(\.usage?.outputTokens),
            numbers(\.usage?.reasoningTokens), .booleans(all.map { $0.usage?.isEstimated }),
            numbers(\.timings?.queueMilliseconds), numbers(\.timings?.firstTokenMilliseconds),
            numbers(\.timings?.durationMilliseconds),
            .timestamps(all.map { $0.startedAt.map { PostgresTimestamp($0) } }),
            .timestamps(all.map { PostgresTimestamp($0.finishedAt) }),
            texts(\.ending?.end.description), texts(\.ending?.before.description),
        ]
    }
}
