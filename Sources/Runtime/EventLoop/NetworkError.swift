internal import CUV

/// An error of the operating system in a network call.
package struct NetworkError: Error, Equatable, CustomStringConvertible {
    /// libuv's number, the negated `errno`.
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// libuv's name and text, such as `ECONNREFUSED: connection refused`.
    package var description: String {
        // Safety: libuv returns zero-terminated static texts for the codes of this system.
        unsafe "\(String(cString: uv_err_name(code))): \(String(cString: uv_strerror(code)))"
    }

    package static let timedOut = NetworkError(code: UV_ETIMEDOUT.rawValue)
    package static let cancelled = NetworkError(code: UV_ECANCELED.rawValue)
    package static let addressInUse = NetworkError(code: UV_EADDRINUSE.rawValue)
}

/// Throws the error of a libuv call; `status` is its result.
func check(_ status: Int32) throws(NetworkError) {
    if status < 0 { throw NetworkError(code: status) }
}
