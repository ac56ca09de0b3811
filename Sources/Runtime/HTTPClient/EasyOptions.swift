internal import CCurl
internal import Text
internal import Time

/// Sets the options of a libcurl handle.
///
/// Safety: `@safe` because ``HTTPTransfer`` owns the handle and outlives this value.
@safe struct EasyOptions {
    let easy: UnsafeMutableRawPointer

    /// Sets all options except the callbacks; returns the list of fields, which must live as long as the handle.
    @unsafe func set(_ request: HTTPClientRequest, _ options: HTTPTransportOptions) -> UnsafeMutablePointer<curl_slist>?
    {
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_USERAGENT, options.userAgent)
        // Signals would affect the whole process.
        set(CURLOPT_NOSIGNAL, 1)
        unsafe lemma_curl_keep_sockets(easy)
        // A lookup that hangs must not block the loop when its request ends.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // Compression would delay streamed bytes, so none is requested; a compressed response is still decoded.
        set(CURLOPT_ACCEPT_ENCODING, "identity")
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(request.timeouts.connect.wholeMilliseconds)))
        if let file = options.certificateAuthorityFile { set(CURLOPT_CAINFO, file) }
        switch request.proxy {
        case .environment: break
        case .none: set(CURLOPT_PROXY, "")
        }
        setMethodAndBody(request)
        let fields = unsafe fields(of: request)
        unsafe lemma_curl_set_pointer(easy, CURLOPT_HTTPHEADER, fields)
        return unsafe fields
    }

    /// Closes the connection with this request, also under HTTP/2, which would otherwise only reset the stream.
    func forbidReuse() { set(CURLOPT_FORBID_REUSE, 1) }

    private func setMethodAndBody(_ request: HTTPClientRequest) {
        if let body = request.body {
            unsafe lemma_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, body.count)
            // Safety: libcurl copies as many bytes as the size set before. An empty array may have no address, and without
            // one libcurl would read the body from standard input.
            unsafe (body + [0]).withUnsafeBytes { bytes in
                let start = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                _ = unsafe lemma_curl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, start)
            }
        } else if request.method == "HEAD" {
            set(CURLOPT_NOBODY, 1)
        }
        set(CURLOPT_CUSTOMREQUEST, request.method)
    }

    private func fields(of request: HTTPClientRequest) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        let names = Set(request.headers.map { $0.name.lowercased() })
        // Removes libcurl's own fields: it would wait for 100 Continue and guess a content type.
        let removed = ["Expect", "Content-Type"].filter { !names.contains($0.lowercased()) }.map { "\($0):" }
        let fields = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for field in fields + removed { unsafe list = unsafe curl_slist_append(list, field) ?? list }
        return unsafe list
    }

    private func set(_ option: CURLoption, _ value: Int) { unsafe lemma_curl_set_long(easy, option, value) }

    private func set(_ option: CURLoption, _ value: String) { unsafe lemma_curl_set_string(easy, option, value) }
}

extension HTTPClientRequest {
    /// False for a request that could inject into the head or use another scheme than HTTP.
    var isSendable: Bool {
        let scheme = url.prefix { $0 != ":" }.lowercased()
        return ["http", "https"].contains(scheme) && url.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            && method.isToken
            && headers.allSatisfy {
                $0.name.isToken && $0.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
            }
    }
}
