/// Who may make an account with a password over HTTP (`REGISTRATION`).
package enum RegistrationPolicy: String, Sendable, CaseIterable {
    /// Every client.
    case open
    /// Administrators, and operators by command.
    case closed
    /// No client: there are no passwords. Users come from issuers, and servers use API keys.
    case off
}
