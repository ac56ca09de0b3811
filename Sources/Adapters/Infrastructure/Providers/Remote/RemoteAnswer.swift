internal import Application
internal import Domain
internal import HTTPClient

/// One response of a provider while it arrives: bytes ─► pieces ─► chunks ─► the sink.
///
/// ```
///  head ──┬─ 200 to 203 ─► events or documents, each read at once
///         └─ else ───────► ErrorBody, read at the end
/// ```
/// Two rules decide what is odd: what is not the answer never spoils it, and what may be a cut is never shown as complete.
/// Holds at most one piece, or the body of an error up to its limit. Loop-owned.
final class RemoteAnswer {
    private let dialect: any ProviderDialect
    private let sink: any AnswerSink
    private let failures: RemoteFailure
    private var head: HTTPClientResponse?
    private var reader = ResponseReader()
    private var errorBody = ErrorBody()
    private var texts: AnswerTexts
    private var ending = AnswerEnding()
    /// True once text came in a piece, and not as a document.
    private var hasPieces = false
    private var failure: ProviderFailure?
    /// True once something torn came behind a reason: no loss, unless more text follows.
    private var hasTornEnd = false
    /// True for the last event, where its empty line is missing.
    private var isFinishing = false
    /// What the provider reported, and the status that it has.
    private(set) var refusal: (status: Int, parts: RefusedParts)?

    init(_ dialect: any ProviderDialect, into sink: any AnswerSink) {
        self.dialect = dialect
        self.sink = sink
        failures = RemoteFailure(provider: dialect.identity.name)
        texts = AnswerTexts(into: sink)
    }

    /// True for a response that brings an answer.
    var isAccepted: Bool { head.map { (200...203).contains($0.status) } ?? false }

    func begin(_ response: HTTPClientResponse) -> HTTPReadDecision {
        head = response
        return .proceed
    }

    func take(_ bytes: Span<UInt8>) -> HTTPReadDecision {
        guard isAccepted else { return errorBody.take(bytes) ? .proceed : .stop }
        do throws(ResponseReader.Unreadable) {
            try reader.read(bytes) { take($0) }
        } catch {
            if !ending.isOver { fail(failures.broken("broke the rules of its protocol: \(error.reason)")) }
        }
        return decision
    }

    private var decision: HTTPReadDecision {
        if failure != nil || texts.isTooLong { return .stop }
        if ending.isOver { return .enough }
        if ending.isFirm { return .conclude(within: dialect.closingLimit) }
        return sink.hasRoom ? .proceed : .pause
    }

    /// Reads one event or document, which may hold several values.
    private func take(_ piece: ResponseReader.Piece) {
        guard failure == nil, !ending.isOver, !texts.isTooLong else { return }
        var json = JSONReader(piece.data[...].utf8)
        if piece.isError {
            let value = (try? json.value()) ?? .null
            return report(ErrorReport.read(value))
        }
        while failure == nil, !json.isAtEnd {
            // Some proxies write the field's name twice, or forget the end of a line.
            json.skip("data:")
            if json.rest.isDone {
                if dialect.endsWithDone { ending.isOver = true }
                return
            }
            let rest = json.rest
            guard let value = try? json.value() else { return takeUnreadable(rest) }
            for value in value.elements {
                if value.isObject {
                    take(dialect.read(value))
                } else if let error = ErrorSigns.bare(value) {
                    report(error)
                }
                if ErrorSigns.isDoubtful(value) { ending.isDoubtful = true }
            }
        }
    }

    /// Words between the events are passed over; what may be the torn remains of an event is not.
    private func takeUnreadable(_ rest: ArraySlice<UInt8>) {
        switch (rest.isTorn, ending.reason == nil || isFinishing) {
        case (true, true): fail(failures.broken("sent what is no answer"))
        case (true, false):
            hasTornEnd = true
            ending.isTorn = true
        case (false, true): ending.isDoubtful = true
        case (false, false): break
        }
    }

    private func take(_ chunk: ProviderChunk) {
        // Some servers repeat the whole answer behind its pieces.
        let isRepetition = chunk.isDocument && hasPieces && texts.hasAnswer
        hasPieces = hasPieces || chunk.hasText && !chunk.isDocument
        if !isRepetition { texts.take(chunk) }
        if let usage = chunk.usage {
            sink.take(ProviderAccount(provider: dialect.identity, usage: usage, answeringModel: chunk.model))
        }
        if let error = chunk.error { return report(error) }
        if chunk.end == .brokenOff { return fail(failures.broken("broke its answer off")) }
        let hasText = chunk.hasText && !isRepetition
        if hasText, hasTornEnd { return fail(failures.broken("sent what is no answer")) }
        ending.take(chunk, hasText: hasText, hasAnswer: texts.hasAnswer)
    }

    func waitForRoom() async throws(CancellationError) { try await sink.waitForRoom() }

    private func report(_ error: ReportedError) {
        // What is whole stays so.
        if ending.isFirm { return }
        if error.contentFault == .filtered { return ending.filter() }
        if !texts.hasAnswer, let status = error.status { refusal = (status, error.refused) }
        fail(failures.reported(error))
    }

    private func fail(_ failure: ProviderFailure) { self.failure = failure }

    /// Why the answer ended, when the request has; `error` is the request's own.
    func end(_ error: HTTPClientError?) throws(ProviderFailure) -> FinishReason {
        if let failure { throw failure }
        guard let head else { throw error.map(failures.transport) ?? failures.broken("gave no answer") }
        guard isAccepted else {
            if error == .cancelled { throw .cancelled }
            let reported = errorBody.error
            if (400..<500).contains(head.status), reported.contentFault == .filtered { return .contentFilter }
            refusal = (head.status, reported.refused)
            throw failures.status(head.status, reported, retryAfter: RetryHint.pause(head, reported))
        }
        if texts.isTooLong { return .length }
        let isOrderly = error == nil
        if isOrderly, !ending.isFirm, !ending.isOver {
            isFinishing = true
            reader.finish { take($0) }
        }
        if let failure { throw failure }
        if let reason = ending.reason(isOrderly && reader.isComplete, isCancelled: error == .cancelled, reader) {
            return try checked(reason)
        }
        if let error { throw failures.transport(error) }
        throw failures.broken(reader.isDocument ? "sent what is no answer" : "ended its answer too early")
    }

    /// A response without any text is not an answer.
    private func checked(_ reason: FinishReason) throws(ProviderFailure) -> FinishReason {
        texts.finish()
        if reason == .stop, !texts.hasAnswer { throw failures.broken("gave an empty answer") }
        return reason
    }
}
