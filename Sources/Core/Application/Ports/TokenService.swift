package import Shared

/// Makes and checks the tokens that stand for a right.
package protocol TokenService {
    /// A ticket for one stream and one user, to be carried in a URL. Lives as long as the stream can.
    func issueTicket(for stream: CorrelationID, user: UserID) -> String
    /// The user a ticket was made for; nil where it is forged, expired or for another stream.
    func verify(ticket: String, for stream: CorrelationID) -> UserID?
}
