internal import CLLHTTP

/// llhttp's state for one request, and its callbacks into a ``RequestParser``.
///
/// Safety: the memory is allocated and freed with this value, which cannot be copied. llhttp keeps no pointer into the
/// bytes that ``execute(_:for:)`` is given, and calls back only inside of it, while its owner is alive.
@safe
struct LLHTTPParser: ~Copyable {
    private let state: UnsafeMutablePointer<llhttp_t>

    init() {
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: llhttp_t())
    }

    deinit { unsafe state.deallocate() }

    /// Prepares for a request whose parts are reported to `owner`.
    func reset(for owner: RequestParser) {
        unsafe llhttp_init(state, HTTP_REQUEST, settings)
        unsafe state.pointee.data = Unmanaged.passUnretained(owner).toOpaque()
    }

    var isHTTP11: Bool { unsafe state.pointee.http_minor == 1 }
    var method: llhttp_method_t { unsafe llhttp_method_t(UInt32(state.pointee.method)) }
    var methodName: String { unsafe String(cString: llhttp_method_name(method)) }
    var flags: UInt16 { unsafe state.pointee.flags }
    /// Of the body, or in a chunked body of the current chunk.
    var contentLength: UInt64 { unsafe state.pointee.content_length }
    var error: llhttp_errno_t { unsafe llhttp_get_errno(state) }

    /// Parses `bytes`; returns how many llhttp took before it paused.
    func execute(_ bytes: Span<UInt8>, for owner: RequestParser) -> Int {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return 0 }
            owner.inputAddress = Int(bitPattern: start)
            unsafe llhttp_execute(state, start, bytes.count)
            guard let end = unsafe llhttp_get_error_pos(state) else { return bytes.count }
            return unsafe end - start
        }
    }
}

/// The callbacks, the same for every parser.
///
/// Safety: written once, before the first parser uses it; only read afterwards. Lives as long as the process.
nonisolated(unsafe) private let settings: UnsafePointer<llhttp_settings_t> = {
    let settings = UnsafeMutablePointer<llhttp_settings_t>.allocate(capacity: 1)
    unsafe llhttp_settings_init(settings)
    unsafe settings.pointee.on_url = { llhttp, at, length in
        let owner = unsafe owner(of: llhttp)
        return owner.didReadTarget(owner.range(Int(bitPattern: at), length))
    }
    unsafe settings.pointee.on_header_field = { llhttp, at, length in
        let owner = unsafe owner(of: llhttp)
        return owner.didReadName(owner.range(Int(bitPattern: at), length))
    }
    unsafe settings.pointee.on_header_value = { llhttp, at, length in
        let owner = unsafe owner(of: llhttp)
        return owner.didReadValue(owner.range(Int(bitPattern: at), length))
    }
    unsafe settings.pointee.on_headers_complete = { unsafe owner(of: $0).didReadHeaders() }
    unsafe settings.pointee.on_chunk_header = { unsafe owner(of: $0).didReadChunkHeader() }
    unsafe settings.pointee.on_chunk_extension_name = { unsafe owner(of: $0).didReadExtension($2) }
    unsafe settings.pointee.on_chunk_extension_value = { unsafe owner(of: $0).didReadExtension($2) }
    unsafe settings.pointee.on_body = { llhttp, at, length in
        let bytes = unsafe UnsafeRawBufferPointer(start: at, count: length)
        return unsafe owner(of: llhttp).didReadBody(Span(_unsafeBytes: bytes))
    }
    unsafe settings.pointee.on_message_complete = { unsafe owner(of: $0).didReadMessage() }
    return unsafe UnsafePointer(settings)
}()

/// Safety: set in ``LLHTTPParser/reset(for:)``; callbacks run inside `llhttp_execute`, which the living owner calls.
private func owner(of llhttp: UnsafeMutablePointer<llhttp_t>?) -> RequestParser {
    guard let data = unsafe llhttp?.pointee.data else { preconditionFailure("an llhttp parser has no owner") }
    return unsafe Unmanaged<RequestParser>.fromOpaque(data).takeUnretainedValue()
}
