internal import CLLHTTP
internal import Text

/// Turns bytes into requests, one at a time: ``HeadScanner`` checks the head's lines, llhttp parses head and body.
///
/// ```
///  head ──complete──► body ──last chunk──► trailer ──complete──► done ──reset──► head
///    │                  └──── complete, of known length ──────────►│
///    └──── no body ───────────────────────────────────────────────►│
/// ```
/// After a refusal only ``reset()`` makes it usable again. A connection holds a parser only while a request arrives, so an
/// idle or streaming connection costs none. The events depend on the bytes alone, and not on how they were cut.
final class RequestParser {
    enum Event {
        /// All bytes are used up.
        case needsMore
        /// The head is complete and accepted, and a body follows: ``limitBody(to:)`` comes next.
        case head
        /// The request is complete: ``request(from:)``.
        case message
        case refused(RequestRefusal)
    }

    enum Stage {
        case head
        case body
        case trailer
        case done
    }

    let options: HTTPServerOptions
    let llhttp = LLHTTPParser()
    private var scanner = HeadScanner()
    private(set) var head: [UInt8] = []
    private(set) var expectsContinue = false
    private var target: RequestTarget?
    private(set) var bodyBytesMax: Int

    // Written by the callbacks.
    var stage = Stage.head
    var refusal: RequestRefusal?
    /// Where the bytes being parsed begin in memory; only differences to it are used.
    var inputAddress = 0
    var fields: [HTTPHeaders.Field] = []
    var targetRange = 0..<0
    var flags: UInt16 = 0
    var body: [UInt8] = []
    var extensionBytes = 0

    init(options: HTTPServerOptions) {
        self.options = options
        bodyBytesMax = options.bodyBytesMax
        llhttp.reset(for: self)
    }

    /// Drops the request in progress.
    func reset() {
        llhttp.reset(for: self)
        stage = .head
        scanner = HeadScanner()
        refusal = nil
        head = []
        fields = []
        targetRange = 0..<0
        target = nil
        body = []
        bodyBytesMax = options.bodyBytesMax
        extensionBytes = 0
        expectsContinue = false
    }

    /// True where the response must have no body, as far as the request is known.
    var isHeadMethod: Bool { head.starts(with: "HEAD ".utf8) }

    /// True unless the client wants the connection to close after the response.
    var keepsAlive: Bool {
        llhttp.isHTTP11 && flags & UInt16(F_CONNECTION_CLOSE.rawValue) == 0
    }

    /// Parses what belongs to this request at the front of `bytes`; returns how many bytes that were.
    func consume(_ bytes: Span<UInt8>) -> (count: Int, event: Event) {
        do {
            switch stage {
            case .head:
                let (count, isComplete) = try scanner.scan(bytes, within: options)
                if head.isEmpty { head.reserveCapacity(count) }
                head.append(copying: bytes.extracting(first: count))
                guard isComplete else { return (count, .needsMore) }
                try parseHead()
                return (count, stage == .done ? .message : .head)
            case .body, .trailer:
                let count = try consumeBody(bytes)
                return (count, stage == .done ? .message : .needsMore)
            case .done:
                return (0, .message)
            }
        } catch {
            // The response to the refused request reads its fields.
            if stage == .head { head.append(copying: bytes) }
            return (bytes.count, .refused(error))
        }
    }

    /// Sets the most bytes that the coming body may have; throws where `Content-Length` exceeds it already.
    func limitBody(to bytesMax: Int) throws(RequestRefusal) {
        bodyBytesMax = bytesMax
        guard flags & UInt16(F_CONTENT_LENGTH.rawValue) != 0 else { return }
        guard llhttp.contentLength <= UInt64(bytesMax) else { throw .bodyTooLarge }
        body.reserveCapacity(Int(llhttp.contentLength))
    }

    /// The complete request, or its head where the body is still to come.
    ///
    /// ``reset()`` prepares for the next one.
    func request(from peerAddress: String) -> HTTPRequest {
        let headers = HTTPHeaders(bytes: head, fields: fields)
        return HTTPRequest(
            method: method,
            path: target?.path ?? "/",
            version: llhttp.isHTTP11 ? .http11 : .http10,
            headers: headers,
            body: body,
            peerAddress: peerAddress,
            targetRange: targetRange,
            queryRange: target?.query ?? 0..<0,
        )
    }

    private var method: HTTPMethod {
        switch llhttp.method {
        case HTTP_GET: .get
        case HTTP_HEAD: .head
        case HTTP_POST: .post
        case HTTP_PUT: .put
        case HTTP_PATCH: .patch
        case HTTP_DELETE: .delete
        case HTTP_OPTIONS: .options
        case _: .other(llhttp.methodName)
        }
    }

    // MARK: Parsing

    private func parseHead() throws(RequestRefusal) {
        _ = llhttp.execute(head.span, for: self)
        try throwIfRefused()
        try checkHead()
        if stage == .head { stage = .body }
    }

    /// Parses what belongs to the body; returns how many bytes that were.
    ///
    /// llhttp pauses at the end of the body and behind the line of the last chunk. The scanner checks the trailer fields,
    /// since llhttp lets them fold; they are dropped (RFC 9112, section 7.1.2).
    private func consumeBody(_ bytes: Span<UInt8>) throws(RequestRefusal) -> Int {
        var count = 0
        if stage == .body {
            count = llhttp.execute(bytes, for: self)
            try throwIfRefused()
            if stage == .body { return bytes.count }
            scanner = HeadScanner(ofTrailer: ())
        }
        guard stage == .trailer else { return count }
        let (trailerCount, isComplete) = try scanner.scan(bytes.extracting(droppingFirst: count), within: options)
        if isComplete { stage = .done }
        return count + trailerCount
    }

    private func throwIfRefused() throws(RequestRefusal) {
        if let refusal { throw refusal }
        switch llhttp.error {
        case HPE_OK, HPE_PAUSED: return
        case HPE_INVALID_METHOD: throw .methodNotImplemented
        case HPE_INVALID_URL: throw .malformedTarget
        case HPE_INVALID_VERSION: throw .versionNotSupported
        case HPE_INVALID_CONSTANT: throw .malformedRequestLine
        case HPE_INVALID_CONTENT_LENGTH, HPE_UNEXPECTED_CONTENT_LENGTH, HPE_INVALID_TRANSFER_ENCODING:
            throw .malformedFraming
        case _: throw stage == .head ? .malformedHeader : .malformedBody
        }
    }

    /// The checks that llhttp leaves to the server.
    private func checkHead() throws(RequestRefusal) {
        if method == .other("CONNECT") { throw .methodNotImplemented }
        let isHTTP11 = llhttp.isHTTP11
        let headers = HTTPHeaders(bytes: head, fields: fields)
        var single = SingleFields()
        for field in fields { try single.note(field, of: headers) }
        if let coding = single.transferEncoding {
            guard isHTTP11 else { throw .malformedFraming }
            guard coding.lowercased() == "chunked" else { throw .codingNotImplemented }
        }
        guard single.hasHost || !isHTTP11 else { throw .malformedHost }
        target = try RequestTarget(head, targetRange, allowsAsterisk: method == .options)
        if isHTTP11, let expectation = single.expect {
            guard expectation.lowercased() == "100-continue" else { throw .expectationUnknown }
            expectsContinue = true
        }
    }
}
