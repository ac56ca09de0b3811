internal import Glibc
internal import Synchronization
internal import Time

/// The form of log lines.
package enum LogFormat: String, Sendable, CaseIterable {
    /// A JSON object a line.
    case json
    /// `12:34:56.789 INFO message key=value`, for a person at a terminal.
    case text
}

/// A file descriptor that log lines are written to, one `write(2)` a line.
///
/// A line has at most ``lineBytesMax`` bytes (`PIPE_BUF`): longer values are cut, fields that no longer fit are left
/// out, and `"truncated": true` says so. That much is written whole to a pipe, and without blocking once `poll(2)`
/// says that there is room. When there is none, the disk is full or the reader is gone, the line is dropped and
/// counted; nothing else happens.
package final class LogOutput: Sendable {
    /// Longest line, in bytes, line feed included.
    package static let lineBytesMax = 4096

    private let descriptor: Int32
    private let service: String
    private let version: String
    private let format: LogFormat
    private let threshold: Atomic<UInt8>
    private let dropped = Atomic<Int>(0)
    private let state = Mutex(State())

    private struct State: ~Copyable {
        /// Kept between lines, to save its allocation.
        var line: [UInt8] = []
        /// The last write was cut short, so that the next line has to begin on a new one.
        var isTorn = false
    }

    /// Makes an output to an open `descriptor`, which stays the caller's.
    ///
    /// With no `level` nothing is written.
    ///
    /// Ignores SIGPIPE for the whole process: a reader that goes away must not end it.
    package init(
        descriptor: Int32 = STDOUT_FILENO,
        service: String,
        version: String,
        level: LogLevel? = .info,
        format: LogFormat = .json
    ) {
        self.descriptor = descriptor
        self.service = service
        self.version = version
        self.format = format
        threshold = Atomic(level?.severity ?? .max)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Lines that could not be written, so far.
    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    /// Whether lines of `level` are written.
    package func isEnabled(_ level: LogLevel) -> Bool {
        level.severity >= threshold.load(ordering: .relaxed)
    }

    /// Changes the least severe level that is written; nil for none.
    ///
    /// Holds from the next line on.
    package func setLevel(_ level: LogLevel?) {
        threshold.store(level?.severity ?? .max, ordering: .relaxed)
    }

    func write(_ level: LogLevel, _ message: StaticString, _ fields: LogFields) {
        let time = CalendarTime.now
        state.withLock { state in
            state.line.removeAll(keepingCapacity: true)
            if state.isTorn { state.line.append(UInt8(ascii: "\n")) }
            switch format {
            case .json:
                JSONLine.append(to: &state.line, time, level, message, service, version, fields)
            case .text:
                TextLine.append(to: &state.line, time, level, message, fields)
            }
            send(&state)
        }
    }

    /// Writes the line, or counts it as dropped.
    private func send(_ state: inout State) {
        guard hasRoom() else { return drop() }
        var written: Int
        repeat {
            written = Glibc.write(descriptor, state.line, state.line.count)
        } while written < 0 && errno == EINTR
        if written > 0 { state.isTorn = written < state.line.count }
        if written < state.line.count { drop() }
    }

    /// Whether a write would neither block nor hit a closed pipe.
    private func hasRoom() -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        var ready: Int32
        repeat { ready = poll(&request, 1, 0) } while ready < 0 && errno == EINTR
        return ready == 1 && request.revents == Int16(POLLOUT)
    }

    private func drop() { dropped.wrappingAdd(1, ordering: .relaxed) }
}
