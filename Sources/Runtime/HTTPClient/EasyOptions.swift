internal import CCurl
internal import Text
internal import Time

/// Tells a libcurl handle what to send and how.
struct EasyOptions {
    let easy: UnsafeMutableRawPointer

    /// Sets everything but the callbacks; returns the list of fields, which must live as long as the handle.
    func set(_ request: HTTPClientRequest, _ options: HTTPTransportOptions) -> UnsafeMutablePointer<curl_slist>? {
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_USERAGENT, options.userAgent)
        // Signals would hit the whole process.
        set(CURLOPT_NOSIGNAL, 1)
        lemma_curl_keep_sockets(easy)
        // A look-up that hangs must not hold the loop when its request ends.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // Compression holds back what is streamed, so none is asked for; what comes compressed all the same is unpacked.
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
        let fields = fields(of: request)
        lemma_curl_set_pointer(easy, CURLOPT_HTTPHEADER, fields)
        return fields
    }

    /// Lets the connection end with this request, whatever the protocol: HTTP/2 would only reset the stream.
    func forbidReuse() { set(CURLOPT_FORBID_REUSE, 1) }

    private func setMethodAndBody(_ request: HTTPClientRequest) {
        if let body = request.body {
            lemma_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, body.count)
            // Safety: libcurl copies as many bytes as were announced before. An empty array may have no address, and
            // without one libcurl would read the body from standard input.
            (body + [0]).withUnsafeBytes { bytes in
                let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                _ = lemma_curl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, start)
            }
        } else if request.method == "HEAD" {
            set(CURLOPT_NOBODY, 1)
        }
        set(CURLOPT_CUSTOMREQUEST, request.method)
    }

    private func fields(of request: HTTPClientRequest) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        let names = Set(request.headers.map { $0.name.lowercased() })
        // libcurl's own additions, taken back: it would wait for 100 Continue and guess a type.
        let removed = ["Expect", "Content-Type"].filter { !names.contains($0.lowercased()) }.map { "\($0):" }
        let fields = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for field in fields + removed { list = curl_slist_append(list, field) ?? list }
        return list
    }

    private func set(_ option: CURLoption, _ value: Int) { lemma_curl_set_long(easy, option, value) }

    private func set(_ option: CURLoption, _ value: String) { lemma_curl_set_string(easy, option, value) }
}

extension HTTPClientRequest {
    /// False for what would break out of its place in the head, or go elsewhere than to an HTTP server.
    var isSendable: Bool {
        let scheme = url.prefix { $0 != ":" }.lowercased()
        return ["http", "https"].contains(scheme) && url.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            && method.isToken
            && headers.allSatisfy {
                $0.name.isToken && $0.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
            }
    }
}
