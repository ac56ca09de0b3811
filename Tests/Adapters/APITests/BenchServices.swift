import API
import Application
import ArchiveSupport
import Domain
import EventLoop
import FoundationEssentials
import HTTPServer
import Infrastructure
import Instrumentation
import RedisClient
import Shared
import Telemetry
import TestSupport
import Worker

/// The services of an ``APIBench`` on real Redis, fakes behind them.
enum BenchServices {
    static func conversations(
        _ archive: InMemoryArchive,
        _ store: RedisStore,
        _ requests: RedisRequestRepository,
        _ catchUp: ArchiveCatchUp,
        _ identifiers: IdentifierFactory
    ) -> ConversationServices {
        let recent = RedisConversations(store: store)
        let time = SystemClock()
        let lookup = ConversationLookup(
            conversations: archive,
            activity: recent,
            wallClock: time,
            catchUp: catchUp,
        )
        return ConversationServices(
            create: CreateConversationHandler(conversations: archive, identifiers: identifiers, clock: time),
            list: ListConversationsHandler(conversations: archive),
            read: ReadConversationHandler(lookup: lookup),
            rename: RenameConversationHandler(conversations: archive, lookup: lookup, clock: time),
            delete: DeleteConversationHandler(conversations: archive, activity: recent, clock: time),
            messages: ListMessagesHandler(
                conversations: archive,
                lookup: lookup,
                requests: requests,
                memory: recent,
                catchUp: catchUp,
            ),
        )
    }

    static func solve(
        _ options: APIOptions,
        _ store: RedisStore,
        _ archive: InMemoryArchive,
        _ identifiers: IdentifierFactory,
        _ bus: LocalEventBus
    ) -> SolveMathProblemHandler {
        SolveMathProblemHandler(
            validator: SolveMathProblemValidator(providerNames: ["mock", "local"]),
            estimate: SubmissionEstimate(contextTokensMax: 8000),
            admission: RedisSubmissionAdmission(store: store, limits: options.limits),
            publisher: RedisMessagePublisher(store: store, limits: .init(waiting: options.queueMaxDepth)),
            conversations: archive,
            identifiers: identifiers,
            fingerprints: SHA256Fingerprinting(),
            bus: bus,
        )
    }

    static func authenticator(
        _ tickets: SignedTicketService,
        _ options: APIOptions,
        _ accounts: AccountBench,
        _ identifiers: IdentifierFactory,
        _ metrics: LemmaMetrics,
        on loop: Loop
    ) -> TokenAuthenticator {
        let secrets = [Array("a secret of at least thirty-two bytes".utf8)]
        let clock = SystemClock()
        let own = SignedAccessTokens(
            secrets: secrets,
            issuer: "lemma",
            audience: "lemma",
            lifetime: .seconds(900),
            clock: clock,
        )
        let keys = KnownKeys()
        return TokenAuthenticator(
            tickets: tickets,
            accessTokens: AccessTokens(own: own, issuers: []),
            mint: RandomCredentialMint(),
            directory: AccessDirectory(
                accounts: KnownAccounts(),
                keys: keys,
                uses: APIKeyUses(keys),
                withdrawn: accounts.withdrawn,
                identifiers: identifiers,
                clock: clock,
                on: loop,
            ),
            clock: clock,
            isRequired: options.isAuthenticationRequired,
            failures: metrics.http.authenticationFailures,
        )
    }
}
