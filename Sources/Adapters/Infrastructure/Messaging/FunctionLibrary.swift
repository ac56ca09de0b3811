internal import Cryptography
internal import Text

/// The Lua library that does in Redis what must happen together, and the names of its functions.
///
/// The names carry a digest of the code: replicas of two releases load their own library side by side and never run the
/// other's code.
struct FunctionLibrary: Sendable {
    enum Function: String, Sendable {
        case submit
        case claim
        case append
        case finish
        case cancel
        case renew
        case takeOver = "take_over"
        case handBack = "hand_back"
        case postpone
        case promote
        case queue
        case survey
        case redrive
        case redriveRecord = "redrive_record"
        case bury
        case attend
        case leave
        case overdue
        case abandon
        case retire
        case vouch
        case close
        case lines
        case lookAfter = "look_after"
        case recall
        case remember
        case kept
        case setAside = "set_aside"
        case backlog
        case distrust
        case find
        case discard
        case unqueued
        case nameJob = "name_job"
        case rights
        case eviction
    }

    static let current = FunctionLibrary(template: String(decoding: PackageResources.lemma_lua, as: UTF8.self))

    /// What FUNCTION LOAD takes.
    let code: String
    /// FCALL's first argument for the one function on the token path.
    let append: String
    private let prefix: String

    init(template: String) {
        let version = Hexadecimal.text(SHA256.digest(template.utf8).prefix(4))
        code = template.replacing("@VERSION@", with: version)
        prefix = "lemma_\(version)_"
        append = prefix + Function.append.rawValue
    }

    func name(of function: Function) -> String { prefix + function.rawValue }
}
