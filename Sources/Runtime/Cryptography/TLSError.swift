internal import COpenSSL
internal import Glibc

/// A failed operation of OpenSSL; the text contains no secret.
package struct TLSError: Error, Equatable, CustomStringConvertible {
    package let reason: String
    package var description: String { reason }

    /// Builds the text from OpenSSL's error queue and empties the queue, so that the next call finds no old errors.
    static func fromQueue(_ what: String) -> TLSError {
        let reasons = drainErrorQueue()
        return TLSError(reason: reasons.isEmpty ? what : "\(what): \(reasons.joined(separator: "; "))")
    }
}

/// Empties the thread's OpenSSL error queue and returns its texts, oldest first.
func drainErrorQueue() -> [String] {
    var reasons: [String] = []
    while true {
        let code = ERR_get_error()
        if code == 0 { return reasons }
        reasons.append(reason(code))
    }
}

private func reason(_ code: UInt) -> String {
    if let text = unsafe ERR_reason_error_string(code) { return unsafe String(cString: text) }
    // ERR_SYSTEM_FLAG, a macro in C: the other bits are an `errno`.
    let systemFlag: UInt = 1 << 31
    return code & systemFlag == 0 ? "error \(code)" : unsafe String(cString: strerror(Int32(code & (systemFlag - 1))))
}
