internal import Console
internal import EventLoop
internal import FoundationEssentials
internal import HTTPClient
internal import ServerSentEvents
internal import Shared

/// The body of a submission.
struct SubmissionBody: Sendable {
    let problem: String
    let conversation: String?
    let provider: String?

    var json: [UInt8] {
        JSONWriter.object { writer in
            writer.member("problem", problem)
            writer.member("conversationId", conversation)
            writer.member("provider", provider)
        }
    }
}

/// Submits one problem and follows its stream to the end.
///
/// Loop-owned.
final class AskClient {
    private static let abortLimit = Duration.seconds(5)
    /// How long the terminal event of an aborted request is waited for.
    private static let endLimit = Duration.seconds(3)

    private let server: ServerURL
    private let transport: HTTPTransport
    private let credentials: ClientCredentials
    private let notes: Notes
    private var printer: AnswerPrinter
    private var delay = ReconnectDelay()
    private var lastEventID = ""

    init(credentials: ClientCredentials, printer: AnswerPrinter, notes: Notes) {
        server = credentials.client.server
        transport = credentials.client.transport
        self.credentials = credentials
        self.printer = printer
        self.notes = notes
    }

    // MARK: Submitting

    /// Submits the problem; throws a failure with its text for the user.
    func submit(_ submission: SubmissionBody) async throws -> Reply.Accepted {
        var request = request("POST", "\(server.origin)/api/math/solve")
        // A retry in a lower layer must not submit twice.
        request.headers.append(("Idempotency-Key", UUID().uuidString.lowercased()))
        request.headers.append(("Content-Type", "application/json"))
        request.body = submission.json
        request.timeouts.total = .seconds(30)
        let (response, body) = try await sendAuthorized(request)
        guard response.status == 202 || response.status == 200 else {
            let failure = AskFailure(response, body)
            guard let advice = credentials.advice(response.status) else { throw failure }
            throw AskFailure(failure, advice: advice)
        }
        guard let accepted = Reply.decode(Reply.Accepted.self, body), server.resolve(accepted.streamUrl) != nil,
            accepted.correlationId.utf8.allSatisfy({ "0123456789abcdef-".utf8.contains($0) })
        else { throw AskFailure("the server's answer to the submission cannot be read") }
        return accepted
    }

    /// Sends a request with the user's credentials, once more with renewed ones where the server rejects them.
    private func sendAuthorized(
        _ request: HTTPClientRequest
    ) async throws -> (response: HTTPClientResponse, body: [UInt8]) {
        do {
            let authorization = try await credentials.authorization()
            let answer = try await server.collect(request.authorized(by: authorization), transport)
            guard answer.response.status == 401,
                let renewed = try await credentials.authorization(after: authorization)
            else { return answer }
            return try await server.collect(request.authorized(by: renewed), transport)
        } catch let failure as CommandFailure {
            throw AskFailure(failure.description)
        }
    }

    private func request(_ method: String, _ url: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(method, url)
        request.headers = [("Accept", "application/json, application/problem+json")]
        if server.isLocal { request.proxy = .none }
        return request
    }

    // MARK: Following

    /// Follows the stream, over as many connections as it takes; returns how the program ends.
    func follow(_ accepted: Reply.Accepted) async throws -> ExitCode {
        while true {
            switch try await watch(accepted) {
            case .finished(let code): return code
            case .refused(let failure): throw failure
            case .lost(let why):
                try Task.checkCancellation()
                guard let pause = delay.next() else {
                    throw AskFailure("the stream is lost: \(why); request \(accepted.correlationId) may go on")
                }
                notes.tell("connection lost, trying again: \(why)")
                try await transport.loop.sleep(for: pause)
            }
        }
    }

    /// How one connection's stream ended.
    private enum End {
        case finished(ExitCode)
        /// Asking again is of no use.
        case refused(AskFailure)
        case lost(String)
    }

    private func watch(_ accepted: Reply.Accepted) async throws -> End {
        guard let url = server.resolve(accepted.streamUrl) else {
            return .refused(AskFailure("the stream has no valid address"))
        }
        var request = request("GET", url)
        request.headers = [("Accept", "text/event-stream, application/problem+json")]
        if !lastEventID.isEmpty { request.headers.append(("Last-Event-ID", lastEventID)) }
        request.timeouts.response = .seconds(30)
        let response = StreamResponse(lastEventID: lastEventID)
        do throws(HTTPClientError) {
            try await transport.perform(request) { head in
                response.begin(head)
            } onBody: { bytes in
                response.take(bytes) { event throws(OutputError) in
                    self.delay.reset()
                    return try self.printer.show(event)
                }
            }
        } catch {
            response.transportError = error
        }
        lastEventID = response.decoder.lastEventID
        delay.take(hintMilliseconds: response.decoder.retryMilliseconds)
        return try end(of: response)
    }

    private func end(of response: StreamResponse) throws -> End {
        if let error = response.outputError { throw error }
        if let code = response.exitCode { return .finished(code) }
        if let error = response.streamError { return .refused(AskFailure("\(error)")) }
        if response.transportError == .cancelled { throw CancellationError() }
        guard let head = response.head else {
            return .lost(response.transportError?.description ?? "there was no answer")
        }
        switch head.status {
        case 200: return .lost(response.transportError?.description ?? "the stream ended early")
        case 204: return .refused(AskFailure("the stream is over, but its end was never seen"))
        case 429, 500...599: return .lost("the server answered \(head.status)")
        case _: return .refused(AskFailure(head, response.problem))
        }
    }

    // MARK: Aborting

    /// Aborts the request on the server and prints the result unless `quietly`; takes a few seconds at most.
    ///
    /// True where the server took it.
    @discardableResult
    func abort(_ accepted: Reply.Accepted, quietly: Bool = false) async -> Bool {
        try? printer.endLine()
        let path = "\(server.origin)/api/math/requests/\(accepted.correlationId)"
        let query = accepted.streamUrl.drop { $0 != "?" }
        let authorization = try? await credentials.authorization()
        var complaint = "the server did not abort the request"
        // The stream's ticket authenticates a user without a token; a server may reject it here.
        for url in query.isEmpty || authorization != nil ? [path] : [path + query, path] {
            var request = request("DELETE", url).authorized(by: authorization)
            request.timeouts.total = Self.abortLimit
            do throws(HTTPClientError) {
                let (response, body) = try await transport.collect(request)
                guard response.status == 200 || response.status == 202 else { continue }
                let isOver = Reply.decode(Reply.State.self, body)?.status == "completed"
                if !quietly { notes.tell(isOver ? "the request was completed already" : "aborted") }
                return true
            } catch {
                complaint = "the request could not be aborted: \(error)"
                break
            }
        }
        if !quietly { notes.complain(complaint) }
        return false
    }

    // MARK: Ending

    /// With `--json`, ends the output with the request's terminal event, or with what is known where that does not come.
    func showEnd(ofAborted accepted: Reply.Accepted, _ wasAborted: Bool) async throws {
        guard printer.asJSON else { return }
        guard wasAborted else { return try printer.showFailure(AskFailure("interrupted; the request may go on")) }
        let isShown = OneShot<Bool>(loop: transport.loop)
        let task = transport.loop.spawn { isShown.succeed((try? await self.follow(accepted)) != nil) }
        let timer = transport.loop.schedule(after: Self.endLimit) { task.cancel() }
        defer { timer.close() }
        if try await isShown.value() == false { try printer.showCancelled() }
    }

    /// With `--json`, ends the output with a failure that came as no event.
    func showFailure(_ failure: AskFailure) throws(OutputError) {
        if printer.asJSON { try printer.showFailure(failure) }
    }
}

extension HTTPClientRequest {
    /// The same with this value of `Authorization`, if there is one.
    fileprivate func authorized(by authorization: String?) -> HTTPClientRequest {
        guard let authorization else { return self }
        var request = self
        request.headers.append(("Authorization", authorization))
        return request
    }
}
