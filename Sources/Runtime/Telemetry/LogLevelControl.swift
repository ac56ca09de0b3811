internal import Synchronization

/// The log level of a running process: the configured level, or temporarily another one.
///
/// ```
///  configured ──toggle──► debug, until toggled ──toggle──► configured
///      └──set──► any, until its generation ends ──end, toggle, set to configured──┘
/// ```
/// Every change is logged in a line that is written at both levels. Safe from any thread.
package final class LogLevelControl: Sendable {
    /// The current level and the number of changes so far, which tells whether a timer of an earlier change still applies.
    package struct Setting: Sendable {
        package let level: LogLevel
        package let generation: Int
    }

    /// The configured level.
    package let configured: LogLevel
    private let logger: Logger
    private let state: Mutex<Setting>

    /// Controls the output of `logger`, which writes at `configured` already.
    package init(_ logger: Logger, configured: LogLevel) {
        self.logger = logger
        self.configured = configured
        state = Mutex(Setting(level: configured, generation: 0))
    }

    package var setting: Setting { state.withLock { $0 } }

    /// Changes the level; pass the generation of the result to ``end(_:)``.
    @discardableResult
    package func set(_ level: LogLevel) -> Setting {
        state.withLock { setting in
            change(&setting, to: level)
            return setting
        }
    }

    /// Switches from the configured level to `debug`, or from any other level back to the configured one.
    ///
    /// If the configured level is `debug`, switches to `trace`.
    package func toggle() {
        state.withLock { setting in
            let louder: LogLevel = configured > .debug ? .debug : .trace
            change(&setting, to: setting.level == configured ? louder : configured)
        }
    }

    /// Restores the configured level, unless the level was changed again after `generation`.
    package func end(_ generation: Int) {
        state.withLock { setting in
            if setting.generation == generation { change(&setting, to: configured) }
        }
    }

    /// Logs the change at `info`, or at a higher level if both levels are above it, so that the line is written.
    private func change(_ setting: inout Setting, to level: LogLevel) {
        let former = setting.level
        setting = Setting(level: level, generation: setting.generation + 1)
        if level < former { logger.output.setLevel(level) }
        logger.log(
            max(.info, min(former, level)),
            "log level changed",
            ["from": .string(former.rawValue), "to": .string(level.rawValue)],
        )
        logger.output.setLevel(level)
    }
}
