internal import Application
internal import Domain
internal import HTTPClient
internal import ServerSentEvents

/// One response of a provider while it arrives: bytes ─► events ─► chunks ─► the sink.
///
/// ```
///  head ──┬─ 200, JSON ───► body, read as one chunk at the end
///         ├─ 200 ─────────► events, each a chunk at once
///         └─ else ────────► body, read as an error at the end
/// ```
/// Holds at most one event, or a body up to its limit. Loop-owned.
final class RemoteAnswer {
    /// A body that is no stream; one event, and one line of it; all text of an answer.
    private static let bodyBytesMax = 1 << 20
    private static let eventLimits = ServerSentEventLimits(lineBytesMax: 1 << 20, dataBytesMax: 1 << 20)
    private static let textBytesMax = 1 << 20
    /// How long usage and formalities may take once the answer is whole.
    private static let closingLimit = Duration.seconds(2)

    private enum Form {
        case stream
        case body
    }

    private let dialect: any ProviderDialect
    private let sink: any AnswerSink
    private let failures: RemoteFailure
    private var head: HTTPClientResponse?
    private var form = Form.stream
    private var decoder = ServerSentEventDecoder(limits: eventLimits)
    private var body: [UInt8] = []
    private var textBytes = 0
    private var finishReason: FinishReason?
    private var isOver = false
    private var failure: ProviderFailure?

    init(_ dialect: any ProviderDialect, into sink: any AnswerSink) {
        self.dialect = dialect
        self.sink = sink
        failures = RemoteFailure(provider: dialect.identity.name)
    }

    func begin(_ response: HTTPClientResponse) -> HTTPReadDecision {
        head = response
        let isJSON = response["content-type"]?.lowercased().hasPrefix("application/json") == true
        form = response.status == 200 && !isJSON ? .stream : .body
        return .proceed
    }

    func take(_ bytes: UnsafeRawBufferPointer) -> HTTPReadDecision {
        switch form {
        case .body:
            guard body.count + bytes.count <= Self.bodyBytesMax else { return .stop }
            body.append(contentsOf: bytes)
            return .proceed
        case .stream:
            do throws(ServerSentEventError) {
                try decoder.decode(bytes) { takeEvent($0.data) }
            } catch {
                if !isOver { fail(failures.broken("broke the rules of its protocol: \(error)")) }
            }
            return decision
        }
    }

    private var decision: HTTPReadDecision {
        if failure != nil || isTooLong { return .stop }
        if isOver { return .enough }
        if finishReason != nil { return .conclude(within: Self.closingLimit) }
        return sink.hasRoom ? .proceed : .pause
    }

    private var isTooLong: Bool { textBytes > Self.textBytesMax }

    private func takeEvent(_ data: String) {
        guard failure == nil, !isOver, !isTooLong else { return }
        guard let chunk = try? dialect.read(data) else { return fail(failures.broken("sent what is no answer")) }
        take(chunk)
    }

    private func take(_ chunk: ProviderChunk) {
        emit(.reasoning, chunk.reasoning)
        emit(.token, chunk.answer)
        if let usage = chunk.usage {
            sink.take(ProviderAccount(provider: dialect.identity, usage: usage, answeringModel: chunk.model))
        }
        if let error = chunk.error { return fail(failures.reported(error)) }
        switch chunk.end {
        case .finished(let reason): finishReason = reason
        case .brokenOff: fail(failures.broken("broke its answer off"))
        case nil: break
        }
        if chunk.isLast { isOver = true }
        // Whoever never ends is cut like an answer that reaches its limit.
        if isTooLong { finishReason = .length }
    }

    private func emit(_ kind: AnswerText, _ text: String) {
        guard !text.isEmpty else { return }
        textBytes += text.utf8.count
        sink.receive(kind, text)
    }

    private func fail(_ failure: ProviderFailure) { self.failure = failure }

    /// Why the answer ended, when the request has; `error` is the request's own.
    func end(_ error: HTTPClientError?) throws(ProviderFailure) -> FinishReason {
        if let failure { throw failure }
        // An answer that is whole stays so, whatever happens to its connection.
        if form == .stream, let reason = finishReason ?? (isOver ? .stop : nil) { return try checked(reason) }
        if let error, error == .cancelled || head?.status ?? 200 == 200 { throw failures.transport(error) }
        guard let head else { throw failures.broken("gave no answer") }
        switch form {
        case .stream: throw failures.broken("ended its answer too early")
        case .body: return try endOfBody(head)
        }
    }

    private func endOfBody(_ head: HTTPClientResponse) throws(ProviderFailure) -> FinishReason {
        let chunk = try? dialect.read(String(decoding: body, as: UTF8.self))
        guard head.status == 200 else { throw failures.status(head.status, chunk?.error, retryAfter: head.retryAfter) }
        guard let chunk else { throw failures.broken("sent what is no answer") }
        take(chunk)
        if let failure { throw failure }
        guard let finishReason else { throw failures.broken("sent what is no answer") }
        return try checked(finishReason)
    }

    /// Nothing at all is no answer to a question.
    private func checked(_ reason: FinishReason) throws(ProviderFailure) -> FinishReason {
        if reason == .stop, textBytes == 0 { throw failures.broken("gave an empty answer") }
        return reason
    }
}
