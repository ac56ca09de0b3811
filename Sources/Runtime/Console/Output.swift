internal import Glibc
internal import POSIX

/// Standard output or standard error, unbuffered.
package struct Output: Sendable {
    /// Standard output, for results.
    package static let standard = Output(descriptor: STDOUT_FILENO)
    /// Standard error, for notes and errors.
    package static let error = Output(descriptor: STDERR_FILENO)

    private let descriptor: Int32

    /// True if the output is a terminal.
    package var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Writes all bytes; blocks while the reader does not read.
    /// - Throws: if the reader has closed the pipe (`SIGPIPE` must be ignored) or the disk is full.
    package func write(_ bytes: some Collection<UInt8>) throws(OutputError) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe Glibc.poll(&poll, 1, -1)
            case EPIPE: throw .readerGone
            case let code: throw .failed(code: code)
            }
        }
    }

    /// Writes text unchanged.
    package func write(_ text: String) throws(OutputError) { try write(text.utf8) }

    /// Writes text and ignores a failure, which could not be reported anywhere.
    package func note(_ text: String) { try? write(text) }
}

/// Why output could not be written.
package enum OutputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reader of a pipe has closed it.
    case readerGone
    /// The system call failed with this `errno`.
    case failed(code: Int32)

    /// One sentence, without the program's name.
    package var description: String {
        switch self {
        case .readerGone: "the output cannot be written: \(SystemError(code: EPIPE))"
        case .failed(let code): "the output cannot be written: \(SystemError(code: code))"
        }
    }
}

/// Returns `text` without terminal control sequences: control characters other than line break and tab become `?`.
package func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 }))
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0A, 0x09: false
    // C0, DEL, C1, and the marks that change the direction of the following text.
    case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
    case _: false
    }
}
