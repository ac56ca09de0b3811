package import Shared

/// Issues and verifies signed tickets.
package protocol TokenService {
    /// A ticket for one stream and one user, short enough for a URL. It is valid as long as the stream can live.
    ///
    /// `key` is the API key that submitted the request, so that the ticket ends with it.
    func issueTicket(for stream: CorrelationID, user: UserID, key: APIKeyID?) -> String
    /// Whose ticket it is; nil where it is forged, expired or for another stream.
    func verify(ticket: String, for stream: CorrelationID) -> TicketHolder?
}

/// Whom a ticket was issued to.
package struct TicketHolder: Sendable, Equatable {
    package let user: UserID
    package let key: APIKeyID?

    package init(user: UserID, key: APIKeyID? = nil) {
        self.user = user
        self.key = key
    }
}
