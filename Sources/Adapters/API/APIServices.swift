package import Application
package import Instrumentation
package import Tracing

/// What the public routes of one loop call: the use cases and the ports that they share.
package struct APIServices {
    package let solve: any CommandHandler<SolveMathProblem>
    package let read: any QueryHandler<ReadMathRequest>
    package let watch: any QueryHandler<WatchAnswer>
    package let cancel: any CommandHandler<CancelMathRequest>
    package let conversations: ConversationServices
    package let accounts: AccountServices
    package let answers: any AnswerLogReader
    package let ends: any RequestEnds
    /// Issues the tickets of stream URLs.
    package let tokens: any TokenService
    /// How long a ticket is valid.
    package let ticketLifetime: Duration
    package let audit: AuditTrail
    package let streams: StreamRegistry
    package let assets: WebAssets
    package let metrics: LemmaMetrics
    /// Nil where tracing is off.
    package let tracer: Tracer?
    /// Finds the client behind the trusted proxies.
    package let clients: ClientAddress

    package init(
        solve: any CommandHandler<SolveMathProblem>,
        read: any QueryHandler<ReadMathRequest>,
        watch: any QueryHandler<WatchAnswer>,
        cancel: any CommandHandler<CancelMathRequest>,
        conversations: ConversationServices,
        accounts: AccountServices,
        answers: any AnswerLogReader,
        ends: any RequestEnds,
        tokens: any TokenService,
        ticketLifetime: Duration,
        audit: AuditTrail,
        streams: StreamRegistry,
        assets: WebAssets,
        metrics: LemmaMetrics,
        tracer: Tracer?,
        clients: ClientAddress = ClientAddress(trustedProxies: [])
    ) {
        self.solve = solve
        self.read = read
        self.watch = watch
        self.cancel = cancel
        self.conversations = conversations
        self.accounts = accounts
        self.answers = answers
        self.ends = ends
        self.tokens = tokens
        self.ticketLifetime = ticketLifetime
        self.audit = audit
        self.streams = streams
        self.assets = assets
        self.metrics = metrics
        self.tracer = tracer
        self.clients = clients
    }
}

/// The use cases about conversations.
package struct ConversationServices {
    package let create: any CommandHandler<CreateConversation>
    package let list: any QueryHandler<ListConversations>
    package let read: any QueryHandler<ReadConversation>
    package let rename: any CommandHandler<RenameConversation>
    package let delete: any CommandHandler<DeleteConversation>
    package let messages: any QueryHandler<ListMessages>

    package init(
        create: any CommandHandler<CreateConversation>,
        list: any QueryHandler<ListConversations>,
        read: any QueryHandler<ReadConversation>,
        rename: any CommandHandler<RenameConversation>,
        delete: any CommandHandler<DeleteConversation>,
        messages: any QueryHandler<ListMessages>
    ) {
        self.create = create
        self.list = list
        self.read = read
        self.rename = rename
        self.delete = delete
        self.messages = messages
    }
}
