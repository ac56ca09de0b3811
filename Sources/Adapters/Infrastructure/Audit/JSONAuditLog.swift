package import Application
package import POSIX
internal import Shared
internal import Telemetry

/// The audit log as JSON lines, each with `"log":"audit"`; whatever the level of the ordinary log is.
///
/// A line that cannot be written is dropped and counted, as ``LogOutput`` describes. Safe from any thread.
package final class JSONAuditLog: AuditLog {
    /// Nil where the lines go to a descriptor that is not this object's.
    private let file: LogFile?
    private let logger: Logger

    /// Writes to an open `descriptor`, such as standard output.
    package init(descriptor: Int32, service: String, version: String) {
        file = nil
        logger = Self.logger(descriptor, service, version)
    }

    package init(_ file: LogFile, service: String, version: String) {
        self.file = file
        logger = Self.logger(file.descriptor, service, version)
    }

    private static func logger(_ descriptor: Int32, _ service: String, _ version: String) -> Logger {
        let output = LogOutput(
            descriptor: descriptor,
            service: service,
            version: version,
            level: .info,
            format: .json,
        )
        return Logger(output: output, context: ["log": "audit"])
    }

    /// Records that could not be written so far.
    package var lostRecords: Int { logger.output.droppedLines }

    /// Continues in the file that has the path now, such as after its rotation.
    package func reopen() throws(SystemError) { try file?.reopen() }

    package func record(_ entry: AuditEntry) {
        var fields: LogFields = [
            "action": .string(entry.action.rawValue), "outcome": .string(entry.outcome.rawValue),
        ]
        fields["actor"] = entry.actor.map { .string($0.text) }
        fields["subject"] = entry.subject.map { .string($0) }
        fields["api_key"] = entry.key.map { .string($0.description) }
        fields["client_address"] = entry.address.map { .string($0) }
        fields["request_id"] = entry.requestID.map { .string($0) }
        fields["reason"] = entry.reason.map { .string($0) }
        logger.info("audit", fields)
    }
}
