package import Application
package import EventLoop
package import Instrumentation
internal import Shared
package import Tracing

/// What the routes of one loop call: the use cases and the ports they share.
package struct APIServices {
    package let loop: Loop
    package let solve: SolveMathProblemHandler
    package let read: ReadMathRequestHandler
    package let watch: WatchAnswerHandler
    package let cancel: CancelMathRequestHandler
    package let conversations: ConversationServices
    package let answers: any AnswerStream
    package let requests: any RequestRepository
    package let ends: any RequestEnds
    package let tokens: any TokenService
    package let isAuthenticationRequired: Bool
    package let identifiers: IdentifierFactory
    package let streams: StreamRegistry
    package let assets: WebAssets
    package let corsOrigins: [String]
    package let metrics: LemmaMetrics
    package let accessLog: AccessLog
    /// Nil where tracing is off.
    package let tracer: Tracer?

    package init(
        loop: Loop,
        solve: SolveMathProblemHandler,
        read: ReadMathRequestHandler,
        watch: WatchAnswerHandler,
        cancel: CancelMathRequestHandler,
        conversations: ConversationServices,
        answers: any AnswerStream,
        requests: any RequestRepository,
        ends: any RequestEnds,
        tokens: any TokenService,
        isAuthenticationRequired: Bool,
        identifiers: IdentifierFactory,
        streams: StreamRegistry,
        assets: WebAssets,
        corsOrigins: [String],
        metrics: LemmaMetrics,
        accessLog: AccessLog,
        tracer: Tracer?
    ) {
        self.loop = loop
        self.solve = solve
        self.read = read
        self.watch = watch
        self.cancel = cancel
        self.conversations = conversations
        self.answers = answers
        self.requests = requests
        self.ends = ends
        self.tokens = tokens
        self.isAuthenticationRequired = isAuthenticationRequired
        self.identifiers = identifiers
        self.streams = streams
        self.assets = assets
        self.corsOrigins = corsOrigins
        self.metrics = metrics
        self.accessLog = accessLog
        self.tracer = tracer
    }

    var authentication: Authentication {
        Authentication(
            tokens: tokens,
            isRequired: isAuthenticationRequired,
            failures: metrics.http.authenticationFailures,
        )
    }
}

/// The use cases about conversations.
package struct ConversationServices {
    package let create: CreateConversationHandler
    package let list: ListConversationsHandler
    package let read: ReadConversationHandler
    package let rename: RenameConversationHandler
    package let delete: DeleteConversationHandler
    package let messages: ListMessagesHandler

    package init(
        create: CreateConversationHandler,
        list: ListConversationsHandler,
        read: ReadConversationHandler,
        rename: RenameConversationHandler,
        delete: DeleteConversationHandler,
        messages: ListMessagesHandler
    ) {
        self.create = create
        self.list = list
        self.read = read
        self.rename = rename
        self.delete = delete
        self.messages = messages
    }
}
