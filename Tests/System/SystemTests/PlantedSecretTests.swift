import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// Secrets are sent everywhere where they belong, and where they do not; then everything that the program wrote is searched.
@Suite("Planted secrets", .tags(.system), .serialized, .timeLimit(.minutes(3)))
struct PlantedSecretTests {
    private enum Planted {
        static let password = "tangerine-zither-password"
        static let newPassword = "quince-harpsichord-password"
        static let wrongPassword = "medlar-theremin-password"
        static let mail = "kumquat.celesta@example.org"
        static let problem = "persimmonproblem"
        static let jwtSecret = "thirty-two bytes of rambutansecret for sure"
    }

    private final class Collected {
        /// What must not be found anywhere, by a name for the failure's message.
        var secrets: [(name: String, text: String)] = [
            ("password", Planted.password), ("new password", Planted.newPassword),
            ("wrong password", Planted.wrongPassword), ("address", Planted.mail), ("problem", Planted.problem),
            ("JWT_SECRET", Planted.jwtSecret),
        ]
        /// Error bodies.
        var errors: [String] = []
    }

    private struct Credentials: Decodable {
        let accessToken: String
        let refreshToken: String
    }

    private func send(
        _ client: AccountClient,
        _ collected: Collected,
        _ method: String,
        _ path: String,
        _ body: String = "",
        token: String? = nil
    ) throws -> RawResponse {
        let reply = try client.send(method, path, body, token: token)
        if reply.status >= 400 { collected.errors.append("\(reply.body) \(reply.headers)") }
        return reply
    }

    private func signIn(_ client: AccountClient, _ collected: Collected, _ password: String) throws -> Credentials {
        let body = #"{"email":"\#(Planted.mail)","password":"\#(password)"}"#
        let reply = try send(client, collected, "POST", "/api/auth/login", body)
        let made = try JSONDecoder().decode(Credentials.self, from: Data(reply.body.utf8))
        // The header of a token is no secret, and the same for all.
        let parts = made.accessToken.split(separator: ".")
        collected.secrets += [
            ("claims", String(parts[1])), ("signature", String(parts[2])), ("refresh token", made.refreshToken),
        ]
        return made
    }

    /// Uses what there is as it is meant.
    private func behave(_ client: AccountClient, _ collected: Collected) throws -> (token: String, key: String) {
        let register = #"{"email":"\#(Planted.mail)","password":"\#(Planted.password)"}"#
        #expect(try send(client, collected, "POST", "/api/auth/register", register).status == 201)
        let first = try signIn(client, collected, Planted.password)
        let refresh = #"{"refreshToken":"\#(first.refreshToken)"}"#
        let second = try send(client, collected, "POST", "/api/auth/refresh", refresh)
        let next = try JSONDecoder().decode(Credentials.self, from: Data(second.body.utf8)).refreshToken
        collected.secrets.append(("second refresh token", next))
        let change = #"{"currentPassword":"\#(Planted.password)","newPassword":"\#(Planted.newPassword)"}"#
        #expect(try send(client, collected, "PATCH", "/api/auth/me", change, token: first.accessToken).status == 200)
        let token = try signIn(client, collected, Planted.newPassword).accessToken
        let key = try client.makeKey(token)
        collected.secrets.append(("API key", key.key))
        let submitted = try client.submit(Planted.problem, token: key.key)
        let ticket = submitted.streamUrl.split(separator: "=").last.map(String.init) ?? ""
        collected.secrets.append(("ticket", ticket))
        let stream = try EventStreamClient(port: client.port, path: submitted.streamUrl)
        while try stream.next() != nil {}
        #expect(try send(client, collected, "POST", "/api/auth/logout", #"{"refreshToken":"\#(next)"}"#).status == 204)
        return (token, key.key)
    }

    /// Sends each secret where it is wrong.
    private func misbehave(_ client: AccountClient, _ collected: Collected, _ token: String, _ key: String) throws {
        let unknown = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
        for (name, secret) in collected.secrets {
            let quoted = #""\#(secret)""#
            let calls: [(String, String, String, String?)] = [
                ("POST", "/api/auth/login", #"{"email":\#(quoted),"password":\#(quoted)}"#, nil),
                ("POST", "/api/auth/login", #"{"email":"\#(Planted.mail)","password":"\#(secret)x"}"#, nil),
                ("POST", "/api/auth/register", #"{"email":\#(quoted),"password":5}"#, nil),
                ("POST", "/api/auth/refresh", #"{"refreshToken":"\#(secret)x"}"#, nil),
                ("POST", "/api/auth/refresh", #"{"refreshToken":[\#(quoted)]}"#, nil),
                ("POST", "/api/auth/refresh", #"{"refreshToken":\#(quoted)"#, nil),
                ("PATCH", "/api/auth/me", #"{"currentPassword":\#(quoted),"newPassword":"x"}"#, token),
                ("DELETE", "/api/auth/me", #"{"password":"\#(Planted.wrongPassword)"}"#, token),
                ("POST", "/api/keys", #"{"name":"x","scopes":[\#(quoted)],"expiresAt":\#(quoted)}"#, token),
                ("POST", "/api/auth/ticket", #"{"correlationId":\#(quoted)}"#, token),
                ("POST", "/api/math/solve", #"{"problem":"1","provider":\#(quoted)}"#, key),
                ("GET", "/api/auth/me", "", secret), ("GET", "/api/auth/me", "", "lm_\(secret)"),
                ("GET", "/api/auth/me", "", key),
                ("GET", "/api/math/stream/\(unknown)?ticket=\(escaped(secret))", "", nil),
                ("GET", "/api/usage?user=\(escaped(secret))&from=\(escaped(secret))", "", token),
                ("GET", "/api/admin/users?email=\(escaped(secret))", "", token),
            ]
            for (method, path, body, token) in calls {
                let reply = try send(client, collected, method, path, body, token: token)
                #expect((400..<500).contains(reply.status), "\(name) \(method) \(path): \(reply)")
            }
        }
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let scalar = Unicode.Scalar(byte)
            let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            return isPlain ? String(scalar) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        .joined()
    }

    @Test("none is found in the logs, the audit log, the metrics, the traces or an error's body")
    func search() async throws {
        try await TraceCollector.running { collector, port in
            var plan = Deployment.Plan(environment: AccountClient.settings)
            plan.environment["LOG_LEVEL"] = "trace"
            plan.environment["JWT_SECRET"] = Planted.jwtSecret
            plan.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:\(port)"
            plan.mockScript = "reject\n"
            try await Deployment.running(plan) { deployment in
                let (client, collected) = (deployment.accounts(), Collected())
                let (token, key) = try behave(client, collected)
                try misbehave(client, collected, token, key)
                var written = collected.errors
                for replica in deployment.apis + deployment.workers {
                    written.append(try HTTPCall.send("GET", port: replica.opsPort, "/metrics").body)
                    replica.process.signal(SIGTERM)
                    #expect(replica.process.waitForExit(within: .seconds(30)) == .code(0))
                    written.append(replica.logText)
                }
                #expect(!collector.payloads.isEmpty)
                written += collector.payloads
                let audit = written.joined().matches(of: /"log":"audit","action":"([a-z_]+)"/).map { String($0.1) }
                #expect(Set(audit).isSuperset(of: ["register", "login", "password_change", "key_create", "submit"]))
                for (name, secret) in collected.secrets {
                    for text in written {
                        let line = text.split(separator: "\n").first { $0.contains(secret) }
                        #expect(line == nil, "\(name) in \(line ?? "")")
                    }
                }
            }
        }
    }
}
