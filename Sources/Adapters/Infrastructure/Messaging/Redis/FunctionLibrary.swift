internal import Cryptography
internal import Text

/// The Lua function library, which makes every change in Redis that spans several keys, and the names of its functions.
///
/// The names carry a digest of the code: replicas of two releases load their own library side by side and never call
/// the other's functions.
struct FunctionLibrary: Sendable {
    /// The functions by the file of `Functions/` that has them.
    enum Function: String, Sendable, CaseIterable {
        // answer_log
        case append
        case markLost = "mark_lost"

        // queue
        case renew
        case takeOver = "take_over"
        case release
        case removeIdleConsumers = "remove_idle_consumers"
        case queueState = "queue_state"
        case queueStatistics = "queue_statistics"

        // conversation_queue
        case listWaiting = "list_waiting"
        case waitingPlaces = "waiting_places"
        case renewWaiting = "renew_waiting"

        // requests
        case cancel
        case readRequest = "read_request"
        case readStatuses = "read_statuses"

        // conversations
        case beginDeletion = "begin_deletion"
        case readTurns = "read_turns"
        case restoreTurns = "restore_turns"

        // submission
        case submit
        case reserveKey = "reserve_key"
        case findSubmission = "find_submission"

        // attempts
        case claim
        case finish

        // retries
        case scheduleRetry = "schedule_retry"
        case enqueueDue = "enqueue_due"

        // dead_letters
        case deadLetterJob = "dead_letter_job"
        case failUnreadable = "fail_unreadable"
        case redrive

        // orphans
        case listOrphans = "list_orphans"
        case setJobEntry = "set_job_entry"

        // archive
        case acknowledgeRecords = "acknowledge_records"
        case deadLetterRecord = "dead_letter_record"
        case redriveRecord = "redrive_record"
        case recordBacklog = "record_backlog"

        // erasure
        case eraseConversation = "erase_conversation"
        case listLetters = "list_letters"

        // presence
        case renewPresence = "renew_presence"
        case removePresence = "remove_presence"
        case listAbandoned = "list_abandoned"
        case cancelAbandoned = "cancel_abandoned"

        // limits
        case chargeLimits = "charge_limits"
        case settleTokens = "settle_tokens"

        // permissions
        case evictionPolicy = "eviction_policy"
        case missingPermissions = "missing_permissions"
        case mistypedKeys = "mistyped_keys"
    }

    static let current = FunctionLibrary(
        template: files.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n"),
    )

    /// The files of `Functions/`, in the order in which Redis loads them: a function sees those defined before it.
    private static let files = [
        PackageResources.shared_lua,
        PackageResources.answer_log_lua,
        PackageResources.queue_lua,
        PackageResources.conversation_queue_lua,
        PackageResources.requests_lua,
        PackageResources.conversations_lua,
        PackageResources.submission_lua,
        PackageResources.attempts_lua,
        PackageResources.retries_lua,
        PackageResources.dead_letters_lua,
        PackageResources.orphans_lua,
        PackageResources.archive_lua,
        PackageResources.erasure_lua,
        PackageResources.presence_lua,
        PackageResources.limits_lua,
        PackageResources.permissions_lua,
        PackageResources.register_lua,
    ]

    /// The argument of FUNCTION LOAD.
    let code: String
    /// FCALL's first argument for the one function on the token path.
    let append: String
    private let prefix: String

    /// `template` is the joined text of the files; `@VERSION@` in it becomes its digest.
    init(template: String) {
        let version = Hexadecimal.text(SHA256.digest(template.utf8).prefix(4))
        code = template.replacing("@VERSION@", with: version)
        prefix = "lemma_\(version)_"
        append = prefix + Function.append.rawValue
    }

    func name(of function: Function) -> String { prefix + function.rawValue }
}
