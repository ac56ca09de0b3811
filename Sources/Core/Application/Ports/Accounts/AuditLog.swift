package import Shared

/// Records what was done to accounts and requests: apart from the ordinary log, whatever its level.
///
/// Delivery: at most once; a record that cannot be written is counted. No secret and no text of a problem is recorded.
package protocol AuditLog: Sendable {
    func record(_ entry: AuditEntry)
}

/// Who did what, from where, with which outcome.
package struct AuditEntry: Sendable {
    package enum Action: String, Sendable, CaseIterable {
        case register
        case login
        case refreshReuse = "refresh_reuse"
        case logout
        case logoutAll = "logout_all"
        case passwordChange = "password_change"
        case accountDelete = "account_delete"
        case roleChange = "role_change"
        case accountDisable = "account_disable"
        case accountEnable = "account_enable"
        case keyCreate = "key_create"
        case keyRevoke = "key_revoke"
        case submit
        case abort
        case requestFailed = "request_failed"
        case deadLetterRedrive = "dead_letter_redrive"
        case deadLetterDrop = "dead_letter_drop"
        case conversationDelete = "conversation_delete"
    }

    package enum Outcome: String, Sendable {
        case success, denied, failure
    }

    package var action: Action
    package var outcome: Outcome
    /// The user who acted; nil where no user was identified.
    package var actor: UserID?
    /// What it was done to: the id of an account, key, request, conversation or dead letter.
    package var subject: String?
    /// The API key that the actor used.
    package var key: APIKeyID?
    /// The client's address; nil for a command of an operator.
    package var address: String?
    package var requestID: String?
    /// A problem type or another word of a closed set.
    package var reason: String?

    package init(_ action: Action, _ outcome: Outcome, actor: UserID? = nil, subject: String? = nil) {
        self.action = action
        self.outcome = outcome
        self.actor = actor
        self.subject = subject
    }
}
