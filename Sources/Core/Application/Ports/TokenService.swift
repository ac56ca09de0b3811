package import Shared

/// Issues and verifies signed tickets.
package protocol TokenService {
    /// A ticket for one stream and one user, short enough for a URL. It is valid as long as the stream can live.
    func issueTicket(for stream: CorrelationID, user: UserID) -> String
    /// The user of a ticket; nil where it is forged, expired or for another stream.
    func verify(ticket: String, for stream: CorrelationID) -> UserID?
}
