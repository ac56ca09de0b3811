internal import Synchronization

/// The level of a process's log while it runs: the configured one, or another one for a time.
///
/// ```
///  configured ──toggle──► debug, until toggled ──toggle──► configured
///      └──set──► any, until its generation ends ──end, toggle, set to configured──┘
/// ```
/// Every change is told in a line that shows. Safe from any thread.
package final class LogLevelControl: Sendable {
    /// The level now, and how often it has been changed: what was started for an earlier one is over.
    package struct Setting: Sendable {
        package let level: LogLevel
        package let generation: Int
    }

    /// The level that holds where nobody wishes another.
    package let configured: LogLevel
    private let logger: Logger
    private let state: Mutex<Setting>

    /// Makes the control of `logger`'s output, which writes at `configured` by now.
    package init(_ logger: Logger, configured: LogLevel) {
        self.logger = logger
        self.configured = configured
        state = Mutex(Setting(level: configured, generation: 0))
    }

    package var setting: Setting { state.withLock { $0 } }

    /// Changes the level; the result's generation is what ``end(_:)`` wants to hear of.
    @discardableResult
    package func set(_ level: LogLevel) -> Setting {
        state.withLock { setting in
            change(&setting, to: level)
            return setting
        }
    }

    /// Goes to `debug`, and from any other level than the configured one back to that.
    ///
    /// Where `debug` is configured already, goes to `trace`.
    package func toggle() {
        state.withLock { setting in
            let louder: LogLevel = configured > .debug ? .debug : .trace
            change(&setting, to: setting.level == configured ? louder : configured)
        }
    }

    /// Goes back to the configured level, unless another change came after that of `generation`.
    package func end(_ generation: Int) {
        state.withLock { setting in
            if setting.generation == generation { change(&setting, to: configured) }
        }
    }

    /// Tells of the change at `info`, or above it where both levels are, while the line shows.
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
