import Application
import Domain
import Shared

/// Records the failed requests of the domain events in the audit log.
struct DomainEventAudit {
    let log: any AuditLog

    func subscribe(to bus: any EventBus) {
        bus.subscribe(to: MathRequestFinished.self) { event in
            guard case .failed(let failure) = event.outcome else { return }
            record(event.correlationID, of: event.userID, failure.kind)
        }
        bus.subscribe(to: RequestEndedWithoutWorker.self) { event in
            switch event {
            case .failed(let id, let kind, _): record(id, of: nil, kind)
            case .cancelled, .expired: break
            }
        }
    }

    /// The user is not known where the request's record cannot be read.
    private func record(_ id: CorrelationID, of user: UserID?, _ kind: ProblemKind) {
        var entry = AuditEntry(.requestFailed, .failure, actor: user, subject: id.description)
        entry.reason = kind.rawValue
        log.record(entry)
    }
}
