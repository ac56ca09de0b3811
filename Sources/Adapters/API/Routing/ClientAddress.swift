internal import HTTPServer
package import Settings
internal import Text

/// Who a request comes from, behind the proxies that are trusted.
package struct ClientAddress: Sendable {
    private let trusted: [IPNetwork]

    package init(trustedProxies: [IPNetwork]) { trusted = trustedProxies }

    /// The last address on the way to us that is no trusted proxy's; empty when the client has gone.
    ///
    /// What stands before that address in `X-Forwarded-For` is whatever the client wrote, and so is what stands before
    /// something that is no address.
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
