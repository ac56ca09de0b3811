internal import CUV

/// What the operating system answered to a network call.
package struct NetworkError: Error, Equatable, CustomStringConvertible {
    /// libuv's number, the negated `errno`.
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// libuv's own name and sentence, such as `ECONNREFUSED: connection refused`.
    package var description: String {
        "\(String(cString: uv_err_name(code))): \(String(cString: uv_strerror(code)))"
    }

    package static let timedOut = NetworkError(code: UV_ETIMEDOUT.rawValue)
    package static let cancelled = NetworkError(code: UV_ECANCELED.rawValue)
    package static let addressInUse = NetworkError(code: UV_EADDRINUSE.rawValue)
}

/// Throws the error that a libuv call returned, if it did.
func check(_ status: Int32) throws(NetworkError) {
    if status < 0 { throw NetworkError(code: status) }
}
