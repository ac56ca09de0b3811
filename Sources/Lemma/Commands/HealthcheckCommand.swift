internal import Console
internal import EventLoop
internal import FoundationEssentials
internal import HTTPClient
internal import LemmaSettings

/// `lemma healthcheck`: the check of a container's health.
enum HealthcheckCommand {
    private static let limit = Duration.seconds(3)

    static let command = Command(
        CommandSpecification(
            "healthcheck",
            summary: "exit 0 when the local operations port says ready, else 1 with the reason",
            options: [CommandOption("url", value: "URL", "ask this one (default: http://127.0.0.1:{OPS_PORT}/readyz)")],
            details: "Waits three seconds at most. A URL without a path means its /readyz.",
        )
    ) { arguments in
        let port = try loadConfiguration(.client).configuration.ops.port
        let url = try arguments["url"].map(readinessURL) ?? "http://127.0.0.1:\(port)/readyz"
        let (status, body) = try await withLoop { loop in
            let transport = HTTPTransport(on: loop)
            defer { transport.close() }
            return try await ask(url, transport)
        }
        guard status == 200 else { throw CommandFailure("not ready: \(reason(status, body))") }
        return .success
    }

    private static func readinessURL(_ text: String) throws(UsageError) -> String {
        guard let (origin, rest) = ServerURL.split(text) else {
            throw .notAllowed(name: "--url", value: text, allowed: "an http:// or https:// URL")
        }
        return rest.isEmpty || rest == "/" ? "\(origin)/readyz" : text
    }

    private static func ask(_ url: String, _ transport: HTTPTransport) async throws -> (Int, [UInt8]) {
        var request = HTTPClientRequest("GET", url)
        request.timeouts.total = limit
        request.proxy = .none
        do throws(HTTPClientError) {
            let (response, body) = try await transport.collect(request)
            return (response.status, body)
        } catch {
            throw CommandFailure("not ready: \(error)")
        }
    }

    private struct Readiness: Decodable { let reason: String? }

    private static func reason(_ status: Int, _ body: [UInt8]) -> String {
        let readiness = try? JSONDecoder().decode(Readiness.self, from: Data(body))
        return readiness?.reason ?? "the answer is \(status)"
    }
}
