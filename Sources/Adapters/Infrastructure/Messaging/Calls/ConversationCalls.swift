internal import Application
internal import Domain
internal import RedisClient
internal import Shared
internal import Time

/// `begin_deletion`.
struct BeginDeletionCall: FunctionCall {
    struct Progress: Equatable {
        /// Whether the conversation is known here as the user's.
        let isKnown: Bool
        let ended: EndedRequests
        /// Requests still wait: the call must be repeated.
        let mustRepeat: Bool
    }

    static let function = FunctionLibrary.Function.beginDeletion
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(
        of id: ConversationID,
        by user: UserID,
        isArchived: Bool,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        partition = keyspace.partition(of: id)
        keys = keyspace.scope(of: id)
        arguments =
            [Keyspace.group, user.text, isArchived ? "1" : "0", String(retention.deletions.wholeMilliseconds)]
            + StopTerms(.conversationDeleted, in: partition, keyspace, retention).arguments
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Progress {
        let elements = try reply.list(ofAtLeast: 4)
        return Progress(
            isKnown: try elements[0].number() == 1,
            ended: try EndedRequests(elements[1], elements[2]),
            mustRepeat: try elements[3].number() == 1,
        )
    }
}

/// The three elements of the list `turns` that a turn has.
enum StoredTurn {
    /// The suffix of the id of a turn whose answer is incomplete.
    private static let partial = " partial"

    static func elements(_ turn: ConversationTurn) -> [String] {
        [turn.correlationID.description + (turn.isPartial ? partial : ""), turn.problem, turn.answer]
    }

    /// Turns that no release has written are left out.
    static func turns(_ elements: [String]) -> [ConversationTurn] {
        stride(from: 0, to: elements.count - 2, by: 3).compactMap { index in
            let name = elements[index]
            return CorrelationID(name.prefix(36)).map { id in
                ConversationTurn(
                    correlationID: id,
                    problem: elements[index + 1],
                    answer: elements[index + 2],
                    isPartial: name.hasSuffix(partial),
                )
            }
        }
    }
}

/// `read_turns`.
struct ReadTurnsCall: FunctionCall {
    static let function = FunctionLibrary.Function.readTurns
    let partition: Int
    let keys: [String]
    let arguments: [String] = []

    init(of id: ConversationID, _ keyspace: Keyspace) {
        partition = keyspace.partition(of: id)
        keys = [keyspace.conversation(id), keyspace.turns(id)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> KnownTurns {
        let elements = try reply.list(ofAtLeast: 2)
        return KnownTurns(
            turns: StoredTurn.turns(try elements[1].list().compactMap(\.string)),
            isWhole: try elements[0].number() == 1,
        )
    }
}

/// `restore_turns`; true if the turns are stored.
struct RestoreTurnsCall: FunctionCall {
    static let function = FunctionLibrary.Function.restoreTurns
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(_ turns: [ConversationTurn], of id: ConversationID, _ keyspace: Keyspace, _ retention: Retention) {
        partition = keyspace.partition(of: id)
        keys = [keyspace.conversation(id), keyspace.turns(id)]
        arguments = [String(retention.turns), String(retention.turnBytes)] + turns.flatMap(StoredTurn.elements)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Bool { try reply.number() == 1 }
}
