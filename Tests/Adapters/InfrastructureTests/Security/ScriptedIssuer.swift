import Application
import Domain
import EventLoop
import HTTPClient
import Synchronization
import TestSupport

@testable import Infrastructure

/// A monotonic clock that a test moves; safe from any thread.
final class TestMoment: Sendable {
    private let milliseconds = Atomic<Int64>(1_000_000)

    var now: @Sendable () -> Duration { { [self] in .milliseconds(milliseconds.load(ordering: .relaxed)) } }

    func advance(by step: Duration) {
        milliseconds.add(Int64(step / .milliseconds(1)), ordering: .relaxed)
    }
}

/// An issuer whose server answers as a test says, on the test's loop.
final class ScriptedIssuer {
    /// The key set, as JSON.
    var keys: String
    /// The metadata; nil for right ones.
    var metadata: String?
    /// Answers with this instead of the keys, head included.
    var response: String?
    /// Takes requests and says nothing.
    var isSilent = false
    private(set) var requests: [String] = []
    let time = TestTime()
    let moment = TestMoment()
    private var server: RawServer?
    private let transport: HTTPTransport
    let loop: Loop

    init(on loop: isolated Loop, _ keys: [SigningKey]) async throws {
        self.keys = Self.set(keys.map(\.jwk))
        self.loop = loop
        transport = HTTPTransport(on: loop)
        server = try await RawServer(on: loop) { [unowned self] in answer($0) }
    }

    static func set(_ keys: [String]) -> String { "{\"keys\":[\(keys.joined(separator: ","))]}" }

    /// `iss` of its tokens.
    var name: String { "http://127.0.0.1:\(server?.port ?? 0)" }

    func close() { transport.close() }

    /// The verifier of a process that trusts this issuer.
    func verifier(limit: Duration = .seconds(5), _ change: (IssuerRules) -> IssuerRules = { $0 }) -> AccessTokens {
        AccessTokens(own: TokenBench.service(time), issuers: [external(limit: limit, change)])
    }

    func external(limit: Duration = .seconds(5), _ change: (IssuerRules) -> IssuerRules = { $0 }) -> ExternalIssuer {
        let rules = change(
            IssuerRules(name: name, audience: ["api"], rolesClaim: "groups", roleNames: ["teachers": .admin])
        )
        let keys = IssuerKeys(rules, transport: transport, logger: .disabled, limit: limit, now: moment.now)
        return ExternalIssuer(rules, keys: keys, clock: time)
    }

    /// The claims of a good token of its.
    func claims(_ changes: [String: String?] = [:]) -> String {
        let own: [String: String?] = [
            "iss": "\"\(name)\"", "aud": #""api""#, "sub": #""ada""#, "sid": nil, "roles": nil, "jti": nil,
        ]
        return TokenBench.claims(own.merging(changes) { $1 })
    }

    private func answer(_ connection: RawServer.Connection) {
        let path = connection.text.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        requests.append(path)
        guard !isSilent else { return }
        if path == "/.well-known/openid-configuration" {
            let metadata = metadata ?? #"{"issuer":"\#(name)","jwks_uri":"\#(name)/keys"}"#
            connection.send(Self.ok(metadata))
        } else {
            connection.send(response ?? Self.ok(keys))
        }
        connection.stream.finish()
    }

    static func ok(_ body: String) -> String {
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(body)"
    }
}

extension AccessTokens {
    /// What a token is worth after its issuer was asked: nil for a valid one.
    func failure(_ token: String) async -> AccessTokenFailure? {
        do throws(AccessTokenFailure) {
            _ = try await verify(token)
            return nil
        } catch {
            return error
        }
    }
}
