internal import CLLHTTP

/// Turns bytes into requests, one at a time: ``HeadScanner`` checks the head's lines, llhttp parses head and body.
///
/// ```
///  head ──complete──► body ──last chunk──► trailer ──complete──► done ──reset──► head
///    │                  └──── complete, of known length ──────────►│
///    └──── no body ───────────────────────────────────────────────►│
/// ```
/// After a refusal only ``reset()`` helps. A connection holds a parser while a request arrives and gives it back then, so
/// an idle or streaming one costs no parser. Knows nothing of connections: what it says depends on the bytes alone and
/// not on how they were cut.
final class RequestParser {
    enum Event {
        /// All bytes are used up.
        case needsMore
        /// The head is complete and accepted, a body follows.
        case head
        /// The request is complete: ``request(from:)``.
        case message
        case refused(RequestRefusal)
    }

    fileprivate enum Stage {
        case head
        case body
        case trailer
        case done
    }

    /// Chunk extensions of one request; they are ignored, so they are given little room.
    fileprivate static let extensionBytesMax = 1024

    let options: HTTPServerOptions
    let llhttp: UnsafeMutablePointer<llhttp_t>
    private var scanner = HeadScanner()
    private(set) var head: [UInt8] = []
    private(set) var expectsContinue = false
    private(set) var target: RequestTarget?

    // What the callbacks fill in.
    fileprivate var stage = Stage.head
    fileprivate var refusal: RequestRefusal?
    fileprivate var headStart: UnsafePointer<CChar>?
    fileprivate var fields: [HTTPHeaders.Field] = []
    fileprivate var targetRange = 0..<0
    fileprivate var flags: UInt16 = 0
    fileprivate var body: [UInt8] = []
    fileprivate var extensionBytes = 0

    init(options: HTTPServerOptions) {
        self.options = options
        llhttp = .allocate(capacity: 1)
        prepareLLHTTP()
    }

    deinit { llhttp.deallocate() }

    private func prepareLLHTTP() {
        llhttp_init(llhttp, HTTP_REQUEST, parserSettings)
        // Safety: callbacks run only inside `execute`, while `self` is alive.
        llhttp.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    /// Forgets the request in progress.
    func reset() {
        prepareLLHTTP()
        stage = .head
        scanner = HeadScanner()
        refusal = nil
        head = []
        fields = []
        targetRange = 0..<0
        target = nil
        body = []
        extensionBytes = 0
        expectsContinue = false
    }

    /// True once a byte of a request is here.
    var hasBegun: Bool { !head.isEmpty }

    /// True when the request, so far as it is known, must not be answered with a body.
    var isHeadMethod: Bool { head.starts(with: "HEAD ".utf8) }

    /// True unless the client wants the connection to end after the answer.
    var keepsAlive: Bool {
        llhttp.pointee.http_minor == 1 && flags & UInt16(F_CONNECTION_CLOSE.rawValue) == 0
    }

    /// Takes what belongs to this request off the front of `bytes`; returns how many that were.
    func consume(_ bytes: UnsafeRawBufferPointer) -> (count: Int, event: Event) {
        do {
            switch stage {
            case .head:
                let (count, isComplete) = try scanner.scan(bytes, within: options)
                if head.isEmpty { head.reserveCapacity(count) }
                head.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
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
            // For what the refusal's answer takes from the request.
            if stage == .head { head.append(contentsOf: bytes) }
            return (bytes.count, .refused(error))
        }
    }

    /// The complete request, or its head where the body is still to come.
    ///
    /// ``reset()`` makes room for the next one.
    func request(from peerAddress: String) -> HTTPRequest {
        let headers = HTTPHeaders(bytes: head, fields: fields)
        return HTTPRequest(
            method: method,
            path: target?.path ?? "/",
            version: llhttp.pointee.http_minor == 1 ? .http11 : .http10,
            headers: headers,
            body: body,
            peerAddress: peerAddress,
            targetRange: targetRange,
            queryRange: target?.query ?? 0..<0,
        )
    }

    private var method: HTTPMethod {
        switch llhttp_method_t(UInt32(llhttp.pointee.method)) {
        case HTTP_GET: .get
        case HTTP_HEAD: .head
        case HTTP_POST: .post
        case HTTP_PUT: .put
        case HTTP_PATCH: .patch
        case HTTP_DELETE: .delete
        case HTTP_OPTIONS: .options
        case let other: .other(String(cString: llhttp_method_name(other)))
        }
    }

    // MARK: Parsing

    private func parseHead() throws(RequestRefusal) {
        head.withUnsafeBytes { bytes in
            headStart = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            llhttp_execute(llhttp, headStart, bytes.count)
            headStart = nil
        }
        try throwIfRefused()
        try checkHead()
        if stage == .head { stage = .body }
    }

    /// Takes what belongs to the body; returns how many bytes that were.
    ///
    /// llhttp pauses at the end of the body and behind the line of the last chunk. Trailer fields are checked by the
    /// scanner, since llhttp lets them fold, and dropped (RFC 9112, section 7.1.2).
    private func consumeBody(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) -> Int {
        var count = 0
        if stage == .body {
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            llhttp_execute(llhttp, start, bytes.count)
            try throwIfRefused()
            guard stage != .body, let start, let end = llhttp_get_error_pos(llhttp) else { return bytes.count }
            count = end - start
            scanner = HeadScanner(ofTrailer: ())
        }
        guard stage == .trailer else { return count }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
        let (trailerCount, isComplete) = try scanner.scan(rest, within: options)
        if isComplete { stage = .done }
        return count + trailerCount
    }

    private func throwIfRefused() throws(RequestRefusal) {
        if let refusal { throw refusal }
        switch llhttp_get_errno(llhttp) {
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

    /// What llhttp leaves to the server.
    private func checkHead() throws(RequestRefusal) {
        if method == .other("CONNECT") { throw .methodNotImplemented }
        let isHTTP11 = llhttp.pointee.http_minor == 1
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
        if flags & UInt16(F_CONTENT_LENGTH.rawValue) != 0, stage == .head {
            guard llhttp.pointee.content_length <= UInt64(options.bodyBytesMax) else { throw .bodyTooLarge }
            body.reserveCapacity(Int(llhttp.pointee.content_length))
        }
    }
}

/// The fields of a head that must not come twice.
private struct SingleFields {
    private(set) var hasHost = false
    private(set) var transferEncoding: String?
    private(set) var expect: String?
    private var hasAuthorization = false
    private var hasContentType = false

    mutating func note(_ field: HTTPHeaders.Field, of headers: HTTPHeaders) throws(RequestRefusal) {
        switch field.nameEnd - field.nameStart {
        case 4 where headers.hasName("host", field):
            let value = headers.bytes[Int(field.valueStart)..<Int(field.valueEnd)]
            guard !hasHost, value.allSatisfy(\.isHostAndPort) else { throw .malformedHost }
            hasHost = true
        case 6 where headers.hasName("expect", field):
            guard expect == nil else { throw .expectationUnknown }
            expect = headers.value(of: field)
        case 12 where headers.hasName("content-type", field):
            guard !hasContentType else { throw .malformedHeader }
            hasContentType = true
        case 13 where headers.hasName("authorization", field):
            guard !hasAuthorization else { throw .malformedHeader }
            hasAuthorization = true
        case 17 where headers.hasName("transfer-encoding", field):
            guard transferEncoding == nil else { throw .malformedFraming }
            transferEncoding = headers.value(of: field)
        case _: break
        }
    }
}

// MARK: - llhttp's callbacks

extension RequestParser {
    fileprivate static func of(_ llhttp: UnsafeMutablePointer<llhttp_t>?) -> RequestParser {
        guard let data = llhttp?.pointee.data else { preconditionFailure("an llhttp parser lost its owner") }
        // Safety: set in `prepareLLHTTP()`; callbacks run inside `llhttp_execute`, which a living parser calls.
        return Unmanaged<RequestParser>.fromOpaque(data).takeUnretainedValue()
    }

    /// Stops llhttp with this refusal.
    fileprivate func refuse(_ refusal: RequestRefusal) -> Int32 {
        self.refusal = refusal
        return -1
    }

    fileprivate func didReadTarget(_ at: UnsafePointer<CChar>, _ length: Int) {
        guard let headStart else { return }
        let start = targetRange.isEmpty ? at - headStart : targetRange.lowerBound
        targetRange = start..<(at - headStart + length)
    }

    fileprivate func didReadName(_ at: UnsafePointer<CChar>, _ length: Int) {
        guard let headStart else { return }
        let start = UInt32(at - headStart)
        fields.append(HTTPHeaders.Field(nameStart: start, nameEnd: start + UInt32(length)))
    }

    fileprivate func didReadValue(_ at: UnsafePointer<CChar>, _ length: Int) {
        guard let headStart, let last = fields.indices.last else { return }
        var start = at - headStart
        var end = start + length
        if fields[last].valueEnd > 0 { start = Int(fields[last].valueStart) }
        while end > start, headStart[end - 1] == 0x20 || headStart[end - 1] == 0x09 { end -= 1 }
        fields[last].valueStart = UInt32(start)
        fields[last].valueEnd = UInt32(end)
    }

    fileprivate func didReadChunkHeader() -> Int32 {
        let length = llhttp.pointee.content_length
        guard length > 0 else {
            stage = .trailer
            return Int32(HPE_PAUSED.rawValue)
        }
        return length > UInt64(options.bodyBytesMax - body.count) ? refuse(.bodyTooLarge) : 0
    }

    fileprivate func didReadExtension(_ length: Int) -> Int32 {
        extensionBytes += length
        return extensionBytes > Self.extensionBytesMax ? refuse(.malformedBody) : 0
    }

    fileprivate func didReadBody(_ at: UnsafePointer<CChar>, _ length: Int) {
        body.append(contentsOf: UnsafeRawBufferPointer(start: at, count: length))
    }
}

/// The callbacks, the same for every parser.
///
/// Safety: written once, before the first parser sees it; only read afterwards. Lives as long as the process.
nonisolated(unsafe) private let parserSettings: UnsafePointer<llhttp_settings_t> = {
    let settings = UnsafeMutablePointer<llhttp_settings_t>.allocate(capacity: 1)
    llhttp_settings_init(settings)
    settings.pointee.on_url = { llhttp, at, length in
        if let at { RequestParser.of(llhttp).didReadTarget(at, length) }
        return 0
    }
    settings.pointee.on_header_field = { llhttp, at, length in
        if let at { RequestParser.of(llhttp).didReadName(at, length) }
        return 0
    }
    settings.pointee.on_header_value = { llhttp, at, length in
        if let at { RequestParser.of(llhttp).didReadValue(at, length) }
        return 0
    }
    settings.pointee.on_headers_complete = { llhttp in
        RequestParser.of(llhttp).flags = llhttp?.pointee.flags ?? 0
        return 0
    }
    settings.pointee.on_chunk_header = { RequestParser.of($0).didReadChunkHeader() }
    settings.pointee.on_chunk_extension_name = { llhttp, _, length in RequestParser.of(llhttp).didReadExtension(length)
    }
    settings.pointee.on_chunk_extension_value = { llhttp, _, length in RequestParser.of(llhttp).didReadExtension(length)
    }
    settings.pointee.on_body = { llhttp, at, length in
        if let at { RequestParser.of(llhttp).didReadBody(at, length) }
        return 0
    }
    settings.pointee.on_message_complete = { llhttp in
        RequestParser.of(llhttp).stage = .done
        return Int32(HPE_PAUSED.rawValue)
    }
    return UnsafePointer(settings)
}()
