internal import HTTPClient
internal import Time

/// Fetches the key set of one issuer: from its configured address, or from the one that its metadata name (OpenID
/// Connect Discovery 1.0).
///
/// Loop-owned. Redirects are not followed; a response has at most 256 KiB.
struct KeySetFetch {
    /// Why there is no key set.
    enum Failure: Error, Equatable, CustomStringConvertible {
        case http(HTTPClientError)
        case status(Int)
        case noMetadata
        case otherIssuer
        case keysAddress
        case noKeySet

        var description: String {
            switch self {
            case .http(let error): "\(error)"
            case .status(let status): "the response has status \(status)"
            case .noMetadata: "the metadata are no JSON object"
            case .otherIssuer: "the metadata are of another issuer"
            case .keysAddress: "the metadata name no address of keys that is allowed"
            case .noKeySet: "the response is no key set"
            }
        }
    }

    private static let bodyBytesMax = 256 * 1024

    let rules: IssuerRules
    let transport: HTTPTransport
    /// For both requests together.
    let limit: Duration

    func run() async throws(Failure) -> KeySet {
        let end = MonotonicTime.now + limit
        let address = try await keysAddress(by: end)
        guard let set = KeySet(try await get(address, by: end)) else { throw .noKeySet }
        return set
    }

    private func keysAddress(by end: Duration) async throws(Failure) -> IssuerURL {
        if let configured = rules.keysURL {
            guard let url = IssuerURL(configured) else { throw .keysAddress }
            return url
        }
        guard let issuer = IssuerURL(rules.name), let discovery = issuer.discovery.flatMap({ IssuerURL($0) }) else {
            throw .keysAddress
        }
        guard let metadata = StrictObject(try await get(discovery, by: end)) else { throw .noMetadata }
        guard metadata.string("issuer") == rules.name else { throw .otherIssuer }
        // An issuer elsewhere must not send this process to a server on its own machine.
        guard let url = metadata.string("jwks_uri").flatMap({ IssuerURL($0) }), !url.isPlain || issuer.isPlain else {
            throw .keysAddress
        }
        return url
    }

    private func get(_ url: IssuerURL, by end: Duration) async throws(Failure) -> [UInt8] {
        var request = HTTPClientRequest("GET", url.text, headers: [("Accept", "application/json")])
        let rest = max(.milliseconds(1), end - MonotonicTime.now)
        request.timeouts.connect = rest
        request.timeouts.total = rest
        request.limits.bodyBytesMax = Self.bodyBytesMax
        if url.isPlain { request.proxy = .none }
        let answer: (response: HTTPClientResponse, body: [UInt8])
        do throws(HTTPClientError) {
            answer = try await transport.collect(request)
        } catch {
            throw .http(error)
        }
        guard answer.response.status == 200 else { throw .status(answer.response.status) }
        return answer.body
    }
}
