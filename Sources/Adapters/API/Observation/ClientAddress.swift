internal import HTTPServer
package import Settings
internal import Text

/// Finds the address of a request's client behind the trusted proxies.
package struct ClientAddress: Sendable {
    private let trusted: [IPNetwork]

    package init(trustedProxies: [IPNetwork]) { trusted = trustedProxies }

    /// The last address on the way to the server that is no trusted proxy's; empty when the client has disconnected.
    ///
    /// In `X-Forwarded-For`, anything before that address is the client's own claim, and so is anything before a member
    /// that is no address.
    func of(_ request: HTTPRequest) -> String {
        guard !trusted.isEmpty else { return request.peerAddress }
        return address(from: request.peerAddress, forwardedFor: request.headers["X-Forwarded-For"])
    }

    func address(from peer: String, forwardedFor header: String?) -> String {
        var address = peer
        guard isTrusted(address), let header else { return address }
        for hop in header.split(separator: ",").reversed() {
            let hop = String(hop.trimmingBlanks)
            guard !hop.contains("/"), IPNetwork(hop) != nil else { return address }
            address = hop
            if !isTrusted(address) { return address }
        }
        return address
    }

    private func isTrusted(_ address: String) -> Bool { trusted.contains { $0.contains(address) } }
}
