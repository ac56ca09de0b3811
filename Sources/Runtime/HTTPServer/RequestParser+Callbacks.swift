internal import CLLHTTP

extension RequestParser {
    /// Chunk extensions of one request; they are ignored, so their limit is low.
    private static let extensionBytesMax = 1024

    /// Makes llhttp ready for a request.
    func prepareLLHTTP() {
        llhttp_init(llhttp, HTTP_REQUEST, parserSettings)
        // Safety: callbacks run only inside `execute`, while `self` is alive.
        llhttp.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    fileprivate static func of(_ llhttp: UnsafeMutablePointer<llhttp_t>?) -> RequestParser {
        guard let data = llhttp?.pointee.data else { preconditionFailure("an llhttp parser lost its owner") }
        // Safety: set in `prepareLLHTTP()`; callbacks run inside `llhttp_execute`, which a living parser calls.
        return Unmanaged<RequestParser>.fromOpaque(data).takeUnretainedValue()
    }

    /// Stops llhttp with this refusal.
    private func refuse(_ refusal: RequestRefusal) -> Int32 {
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
        return length > UInt64(bodyBytesMax - body.count) ? refuse(.bodyTooLarge) : 0
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
/// Safety: written once, before the first parser uses it; only read afterwards. Lives as long as the process.
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
    settings.pointee.on_chunk_extension_name = { RequestParser.of($0).didReadExtension($2) }
    settings.pointee.on_chunk_extension_value = { RequestParser.of($0).didReadExtension($2) }
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
