package import Application
internal import Domain
internal import HTTPServer
internal import Problems
internal import Shared

/// Records what requests do: adds who asks, from where and under which id to each entry of the audit log.
package struct AuditTrail: Sendable {
    private let log: any AuditLog
    private let clients: ClientAddress

    package init(_ log: any AuditLog, clients: ClientAddress) {
        self.log = log
        self.clients = clients
    }

    /// The client's address; empty where the client has disconnected.
    func address(of context: RequestContext) -> String { clients.of(context.request) }

    /// Records an entry of an open route, which knows its actor by itself.
    func record(_ entry: AuditEntry, _ context: RequestContext) {
        var entry = entry
        entry.address = clients.of(context.request)
        entry.requestID = context.requestID
        log.record(entry)
    }

    /// `subject` is the id of what it was done to.
    func record(
        _ action: AuditEntry.Action,
        _ outcome: AuditEntry.Outcome = .success,
        by caller: Caller,
        _ context: RequestContext,
        subject: String,
        reason: String? = nil
    ) {
        var entry = AuditEntry(action, outcome, actor: caller.user, subject: subject)
        entry.key = caller.key
        entry.reason = reason
        record(entry, context)
    }

    /// Records what `problem` prevented.
    func record(
        _ action: AuditEntry.Action,
        preventedBy problem: APIProblem,
        by caller: Caller,
        _ context: RequestContext,
        subject: String? = nil
    ) {
        let isDenied = problem.kind.problemType.status < 500
        var entry = AuditEntry(action, isDenied ? .denied : .failure, actor: caller.user, subject: subject)
        entry.key = caller.key
        entry.reason = problem.kind.rawValue
        record(entry, context)
    }
}
