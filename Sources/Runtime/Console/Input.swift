internal import Glibc

/// Standard input.
package enum Input {
    /// Reads standard input to its end; blocks.
    /// - Throws: if the input is longer than `bytesMax` or cannot be read.
    package static func readAll(bytesMax: Int) throws(InputError) -> [UInt8] {
        var input: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = unsafe read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(code: errno) }
            guard count > 0 else { return input }
            input.append(contentsOf: chunk[..<count])
            guard input.count <= bytesMax else { throw .tooLong(bytesMax: bytesMax) }
        }
    }
}

/// Why standard input could not be read.
package enum InputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// It is longer than allowed.
    case tooLong(bytesMax: Int)
    /// The system call failed with this `errno`.
    case unreadable(code: Int32)
    /// Ctrl-C on a terminal.
    case interrupted

    /// One line.
    package var description: String {
        switch self {
        case .tooLong(let bytesMax): "standard input is longer than \(bytesMax) bytes"
        case .unreadable(let code): "standard input cannot be read (errno \(code))"
        case .interrupted: "interrupted"
        }
    }
}
