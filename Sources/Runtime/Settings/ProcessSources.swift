internal import FoundationEssentials
internal import Glibc

/// The sources of settings of this process.
package enum ProcessSources {
    /// The environment of this process.
    package static func environment() -> [String: String] { ProcessInfo.processInfo.environment }

    /// The text of `.env` in the working directory; nil without such a file.
    /// - Throws: a mistake if the file cannot be read or is not UTF-8.
    package static func dotEnv(at path: String = ".env") throws(InvalidSettings) -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw InvalidSettings(mistakes: [.unreadableLine(number: 1, reason: "the file cannot be read")])
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw InvalidSettings(mistakes: [.unreadableLine(number: 1, reason: "the file is not UTF-8")])
        }
        return text
    }

    /// Whether standard output is a terminal.
    package static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
