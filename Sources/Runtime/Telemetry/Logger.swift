/// Writes log lines: a constant phrase with typed fields.
///
/// ``with(_:)`` returns a logger that adds fields to each line. A line below the level costs one atomic load, and its
/// fields are not evaluated. Safe from any thread; does not block and does not fail (see ``LogOutput``). Prompts, answers,
/// tokens and keys are never logged.
package struct Logger: Sendable {
    /// The destination of lines, with the level.
    package let output: LogOutput
    /// The fields added to each line.
    package let context: LogFields

    /// Adds `context` to each line.
    package init(output: LogOutput, context: LogFields = [:]) {
        self.output = output
        self.context = context
    }

    /// Returns a logger that adds `fields` as well; they replace fields of the same name.
    package func with(_ fields: LogFields) -> Logger {
        Logger(output: output, context: context.merging(fields))
    }

    /// Writes a line at `level`.
    package func log(_ level: LogLevel, _ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        guard output.isEnabled(level) else { return }
        output.write(level, message, context.merging(fields()))
    }

    /// Writes a line at level trace.
    package func trace(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.trace, message, fields())
    }

    /// Writes a line at level debug.
    package func debug(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.debug, message, fields())
    }

    /// Writes a line at level info.
    package func info(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.info, message, fields())
    }

    /// Writes a line at level warning.
    package func warning(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.warning, message, fields())
    }

    /// Writes a line at level error.
    package func error(_ message: StaticString, _ fields: @autoclosure () -> LogFields = [:]) {
        log(.error, message, fields())
    }
}
