internal import COpenSSL
internal import Glibc

/// What OpenSSL could not do; the text names no secret.
package struct TLSError: Error, Equatable, CustomStringConvertible {
    package let reason: String
    package var description: String { reason }

    /// Takes the text from OpenSSL's queue of errors and empties it, so that the next call does not find old ones.
    static func fromQueue(_ what: String) -> TLSError {
        let reasons = drainErrorQueue()
        return TLSError(reason: reasons.isEmpty ? what : "\(what): \(reasons.joined(separator: "; "))")
    }
}

/// The thread's queue of OpenSSL errors as texts, oldest first; empty afterwards.
func drainErrorQueue() -> [String] {
    var reasons: [String] = []
    while true {
        let code = ERR_get_error()
        if code == 0 { return reasons }
        reasons.append(reason(code))
    }
}

private func reason(_ code: UInt) -> String {
    if let text = ERR_reason_error_string(code) { return String(cString: text) }
    // ERR_SYSTEM_FLAG, which is a macro in C: the rest is an `errno`.
    let systemFlag: UInt = 1 << 31
    return code & systemFlag == 0 ? "error \(code)" : String(cString: strerror(Int32(code & (systemFlag - 1))))
}
