internal import Glibc
internal import Synchronization
internal import Time

/// The format of log lines.
package enum LogFormat: String, Sendable, CaseIterable {
    /// One JSON object per line.
    case json
    /// `12:34:56.789 INFO message key=value`, for a terminal.
    case text
}

/// Writes log lines to a file descriptor, with one `write(2)` per line.
///
/// A line has at most ``lineBytesMax`` bytes (`PIPE_BUF`): longer values are truncated, fields that do not fit are left
/// out, and the line ends with `"truncated": true`. A write of that size to a pipe is atomic, and does not block after
/// `poll(2)` has reported room. Without room, on a full disk and after the reader has closed the pipe, the line is dropped
/// and counted.
package final class LogOutput: Sendable {
    /// Maximum length of a line in bytes, line feed included.
    package static let lineBytesMax = 4096

    private let descriptor: Int32
    private let service: String
    private let version: String
    private let format: LogFormat
    private let threshold: Atomic<UInt8>
    private let dropped = Atomic<Int>(0)
    private let state = Mutex(State())

    private struct State: ~Copyable {
        /// Reused between lines, to save the allocation.
        var line: [UInt8] = []
        /// True if the last write was partial: the next write begins with a line feed.
        var isTorn = false
    }

    /// Writes to an open `descriptor`, which the caller closes.
    ///
    /// Without a `level`, nothing is written. Ignores SIGPIPE for the whole process, so that a closed pipe does not end it.
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

    /// Number of lines that were dropped so far.
    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    /// True if lines of `level` are written.
    package func isEnabled(_ level: LogLevel) -> Bool {
        level.severity >= threshold.load(ordering: .relaxed)
    }

    /// Sets the least severe level that is written, from the next line on; nil for none.
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
            written = unsafe Glibc.write(descriptor, state.line, state.line.count)
        } while written < 0 && errno == EINTR
        if written > 0 { state.isTorn = written < state.line.count }
        if written < state.line.count { drop() }
    }

    /// True if a write would neither block nor fail with a closed pipe.
    private func hasRoom() -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        var ready: Int32
        repeat { ready = unsafe poll(&request, 1, 0) } while ready < 0 && errno == EINTR
        return ready == 1 && request.revents == Int16(POLLOUT)
    }

    private func drop() { dropped.wrappingAdd(1, ordering: .relaxed) }
}
