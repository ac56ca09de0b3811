import Glibc
import Telemetry

/// A pipe whose reading end a test looks at.
final class LogPipe {
    private(set) var reader: Int32
    let writer: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        unsafe precondition(pipe(&ends) == 0, "no file descriptor left")
        reader = ends[0]
        writer = ends[1]
        _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    }

    deinit {
        closeReader()
        close(writer)
    }

    func output(level: LogLevel? = .trace, format: LogFormat = .json) -> LogOutput {
        LogOutput(descriptor: writer, service: "lemma-test", version: "1.2.3", level: level, format: format)
    }

    /// Everything that is in the pipe now.
    func text() -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(reader, &chunk, chunk.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    func lines() -> [String] { text().split(separator: "\n").map(String.init) }

    func closeReader() {
        if reader >= 0 { close(reader) }
        reader = -1
    }

    /// Writes until not a byte more fits.
    func fill() {
        let flags = fcntl(writer, F_GETFL)
        _ = fcntl(writer, F_SETFL, flags | O_NONBLOCK)
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
        for size in [4096, 1] { while unsafe write(writer, chunk, size) > 0 {} }
        _ = fcntl(writer, F_SETFL, flags)
    }
}
