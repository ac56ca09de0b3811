/// What a server has under way for its clients, and what a drain therefore waits for.
///
/// Idle connections, and requests that have not arrived in full, do not count.
package struct HTTPInFlight: Sendable, Equatable {
    /// Requests whose response has not begun.
    package private(set) var requests = 0
    /// Responses that are being written piece by piece.
    package private(set) var streams = 0
    /// Connections that another protocol owns.
    package private(set) var upgrades = 0

    package init() {}

    package var total: Int { requests + streams + upgrades }

    mutating func count(_ phase: HTTPConnectionState.Phase) {
        switch phase {
        case .responding: requests += 1
        case .streaming: streams += 1
        case .upgraded: upgrades += 1
        case .opened, .idle, .blocked, .head, .body, .closing, .closed: break
        }
    }

    static func += (sum: inout HTTPInFlight, more: HTTPInFlight) {
        sum.requests += more.requests
        sum.streams += more.streams
        sum.upgrades += more.upgrades
    }
}
