internal import Application
internal import Domain
internal import RedisClient
internal import Shared

/// `erase_conversation`.
struct EraseConversationCall: FunctionCall {
    struct Progress: Equatable {
        /// Requests that their workers still have to end.
        let running: Int
        let ended: EndedRequests
        /// Requests still wait: the call must be repeated.
        let mustRepeat: Bool
    }

    static let function = FunctionLibrary.Function.eraseConversation
    let partition: Int
    let keys: [String]
    let arguments: [String]

    init(
        _ id: ConversationID,
        of user: UserID,
        requests: some Sequence<CorrelationID>,
        _ keyspace: Keyspace,
        _ retention: Retention
    ) {
        partition = keyspace.partition(of: id)
        keys =
            keyspace.scope(of: id)
            + [keyspace.delayed(partition), keyspace.watched(partition), keyspace.viewers(partition)]
        arguments =
            [Keyspace.group, user.text]
            + StopTerms(.conversationDeleted, in: partition, keyspace, retention).arguments
            + requests.map(\.description)
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Progress {
        let elements = try reply.list(ofAtLeast: 4)
        return Progress(
            running: try elements[0].number(),
            ended: try EndedRequests(elements[1], elements[2]),
            mustRepeat: try elements[3].number() == 1,
        )
    }
}

/// A dead letter that names an account to erase.
struct NamingLetter: Equatable {
    let entry: String
    let user: UserID
    /// Nil where the letter cannot be read.
    let conversation: ConversationID?
    let request: CorrelationID?
}

/// `list_letters`.
struct ListLettersCall: FunctionCall {
    struct Page: Equatable {
        /// Nil at the end of the stream.
        let last: String?
        let letters: [NamingLetter]
    }

    static let function = FunctionLibrary.Function.listLetters
    let partition: Int
    let keys: [String]
    let arguments: [String]

    /// `stream` is one of the partition's streams of dead letters, `last` that of the page before.
    init(naming account: AccountID, in stream: String, of partition: Int, after last: String?, upTo count: Int) {
        self.partition = partition
        keys = [stream]
        arguments = [account.description, last ?? "", String(count)]
    }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Page {
        let elements = try reply.list(ofAtLeast: 1)
        let last = try elements[0].text()
        var letters: [NamingLetter] = []
        for index in stride(from: 1, to: elements.count - 3, by: 4) {
            letters.append(
                NamingLetter(
                    entry: try elements[index].text(),
                    user: UserID(try elements[index + 1].text()),
                    conversation: ConversationID(try elements[index + 2].text()),
                    request: CorrelationID(try elements[index + 3].text()),
                )
            )
        }
        return Page(last: last.isEmpty ? nil : last, letters: letters)
    }
}
