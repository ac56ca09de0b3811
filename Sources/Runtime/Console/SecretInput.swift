internal import Glibc

extension Input {
    /// True if standard input is a terminal.
    package static var isTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Reads one line of standard input, such as a password, without its end; blocks.
    ///
    /// On a terminal it writes `prompt` to standard error and shows nothing of what is typed; Ctrl-U begins anew.
    /// - Throws: if the line is longer than `bytesMax`, if it cannot be read, and at Ctrl-C on a terminal.
    package static func readSecret(prompt: String, bytesMax: Int) throws(InputError) -> [UInt8] {
        guard isTerminal else { return try readLine(bytesMax: bytesMax) }
        // Before the prompt: what is typed earlier is dropped, what is typed later is not shown.
        let terminal = try SilentTerminal()
        Output.error.note(prompt)
        defer {
            terminal.restore()
            Output.error.note("\n")
        }
        return try readLine(bytesMax: bytesMax)
    }

    private static func readLine(bytesMax: Int) throws(InputError) -> [UInt8] {
        var line = SecretLine()
        var byte: [UInt8] = [0]
        while true {
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(code: errno) }
            guard count > 0 else { return line.bytes }
            switch line.take(byte[0], isTyped: isTerminal) {
            case .more: break
            case .end: return line.bytes
            case .interrupted: throw .interrupted
            }
            guard line.bytes.count <= bytesMax else { throw .tooLong(bytesMax: bytesMax) }
        }
    }
}

/// A line as it is read, byte by byte.
struct SecretLine {
    enum Step {
        case more
        case end
        case interrupted
    }

    private(set) var bytes: [UInt8] = []

    /// Takes a byte; a terminal that shows nothing leaves the editing of the line to this program.
    mutating func take(_ byte: UInt8, isTyped: Bool) -> Step {
        switch byte {
        case UInt8(ascii: "\n"): break
        case UInt8(ascii: "\r") where isTyped: break
        case 0x03 where isTyped: return .interrupted
        // Ctrl-D.
        case 0x04 where isTyped && bytes.isEmpty: break
        // Ctrl-U.
        case 0x15 where isTyped:
            bytes = []
            return .more
        case 0x08 where isTyped, 0x7F where isTyped:
            removeLastCharacter()
            return .more
        case _:
            bytes.append(byte)
            return .more
        }
        if !isTyped, bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return .end
    }

    /// Of UTF-8: its following bytes, then its first one.
    private mutating func removeLastCharacter() {
        while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
    }
}

/// A terminal on standard input that shows nothing of what is typed, until it is restored.
///
/// It also passes Ctrl-C as a byte, so that no signal ends the program while nothing is shown.
private struct SilentTerminal {
    private let former: termios

    init() throws(InputError) {
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { throw .unreadable(code: errno) }
        former = settings
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0 else { throw .unreadable(code: errno) }
    }

    func restore() {
        var settings = former
        _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
    }
}
