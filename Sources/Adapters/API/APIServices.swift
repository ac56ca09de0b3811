package import Application
package import Instrumentation
package import Tracing

/// What the public routes of one loop call: the use cases and the ports that they share.
package struct APIServices {
    package let solve: SolveMathProblemHandler
    package let read: ReadMathRequestHandler
    package let watch: WatchAnswerHandler
    package let cancel: CancelMathRequestHandler
    package let conversations: ConversationServices
    package let answers: any AnswerLogReader
    package let ends: any RequestEnds
    /// Issues the tickets of stream URLs.
    package let tokens: any TokenService
    package let streams: StreamRegistry
    package let assets: WebAssets
    package let metrics: LemmaMetrics
    /// Nil where tracing is off.
    package let tracer: Tracer?

    package init(
        solve: SolveMathProblemHandler,
        read: ReadMathRequestHandler,
        watch: WatchAnswerHandler,
        cancel: CancelMathRequestHandler,
        conversations: ConversationServices,
        answers: any AnswerLogReader,
        ends: any RequestEnds,
        tokens: any TokenService,
        streams: StreamRegistry,
        assets: WebAssets,
        metrics: LemmaMetrics,
        tracer: Tracer?
    ) {
        self.solve = solve
        self.read = read
        self.watch = watch
        self.cancel = cancel
        self.conversations = conversations
        self.answers = answers
        self.ends = ends
        self.tokens = tokens
        self.streams = streams
        self.assets = assets
        self.metrics = metrics
        self.tracer = tracer
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
