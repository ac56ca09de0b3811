/// A command of a batch, in the order sent; a synchronisation point follows the last one.
enum BatchCommand {
    case prepare(PostgresCall, name: String)
    /// With the statement's text where `name` is nil.
    case execute(PostgresCall, name: String?)
}

/// The statements that one session of the server has prepared.
struct PreparedStatements {
    private var names: [ObjectIdentifier: String] = [:]
    private var lastNumber = 0

    /// The commands that run `calls`; each statement is prepared before its first use in the session.
    mutating func commands(for calls: [PostgresCall]) -> [BatchCommand] {
        var commands: [BatchCommand] = []
        var added: [ObjectIdentifier: String] = [:]
        for call in calls {
            let identity = ObjectIdentifier(call.statement)
            if let name = names[identity] ?? added[identity] {
                commands.append(.execute(call, name: name))
                continue
            }
            // A name is never used twice: whether a failed batch has prepared it depends on where it failed.
            lastNumber += 1
            let name = "s\(lastNumber)"
            added[identity] = name
            commands += [.prepare(call, name: name), .execute(call, name: name)]
        }
        return commands
    }

    /// The server has prepared `statement` as `name`.
    mutating func confirm(_ statement: ObjectIdentifier, as name: String) { names[statement] = name }
}

/// The results that the server owes for a batch or a script, as a value: it takes a reply and returns the action to
/// execute.
///
/// ```
/// due              reply              action
/// preparation      completed          confirm
/// execution        completed          appendRows
/// either           aborted, failed    none
/// synchronisation  failed             none: a constraint that is checked at the commit
/// synchronisation  synchronised       finish
/// ```
/// The first failure with an SQLSTATE fails the batch; the server aborts the commands that follow up to the
/// synchronisation point. The results of a script are not known in advance: nothing is due, and libpq reports their end.
struct PostgresBatch {
    enum Reply {
        case completed
        /// Skipped after a failure.
        case aborted
        /// `state` is nil for an error of libpq itself, after which the connection is broken.
        case failed(state: String?)
        case synchronised
    }

    enum Action: Equatable {
        case none
        case confirm(ObjectIdentifier, name: String)
        case appendRows
        case finish
    }

    private enum Due {
        case preparation(ObjectIdentifier, name: String)
        case execution
        case synchronisation
    }

    private var due: ArraySlice<Due>
    private(set) var failure: PostgresServerError?

    static var script: PostgresBatch { PostgresBatch(due: []) }

    init(_ commands: [BatchCommand]) {
        let results: [Due] = commands.map { command in
            switch command {
            case .prepare(let call, let name): .preparation(ObjectIdentifier(call.statement), name: name)
            case .execute: .execution
            }
        }
        due = (results + [.synchronisation])[...]
    }

    private init(due: ArraySlice<Due>) { self.due = due }

    /// True where the end of a statement's results is the end of all: never for a batch, which ends at its
    /// synchronisation point.
    var endsWithResults: Bool { due.isEmpty }

    mutating func handle(_ reply: Reply) -> Action {
        switch reply {
        case .synchronised: return .finish
        case .completed:
            switch due.first {
            case .preparation(let statement, let name):
                due.removeFirst()
                return .confirm(statement, name: name)
            case .execution:
                due.removeFirst()
                return .appendRows
            case .synchronisation, nil: return .none
            }
        case .aborted:
            skip()
            return .none
        case .failed(let state):
            skip()
            if let state, failure == nil { failure = PostgresServerError(state: state) }
            return .none
        }
    }

    private mutating func skip() {
        switch due.first {
        case .preparation, .execution: due.removeFirst()
        case .synchronisation, nil: break
        }
    }
}
