internal import Glibc
internal import LemmaSettings
internal import Settings

/// How the program ends.
///
/// Also thrown, by a command that has already reported its failure.
enum ExitCode: Int32, Error {
    case success = 0
    /// Something went wrong at run time.
    case failure = 1
    /// The command line or the configuration is wrong.
    case usage = 2
    /// SIGINT: 128 + 2, as a shell reports it.
    case interrupted = 130
    /// SIGQUIT: 128 + 3.
    case quit = 131
    /// SIGPIPE: 128 + 13.
    case readerGone = 141
    /// SIGTERM: 128 + 15.
    case terminated = 143
    /// SIGHUP: 128 + 1.
    case hungUp = 129
}

/// A failure at run time, with its text for the user.
struct CommandFailure: Error, CustomStringConvertible {
    /// One sentence or more, without the program's name.
    let description: String

    init(_ description: String) { self.description = description }
}

/// The settings are wrong: names each variable, its value and what is allowed.
struct ConfigurationFailure: Error, CustomStringConvertible {
    let mistakes: InvalidSettings

    var description: String { mistakes.description }
}

/// Reads the settings of this process.
func loadConfiguration(_ role: Role) throws(ConfigurationFailure) -> LoadedConfiguration {
    do throws(InvalidSettings) {
        return try Configuration.load(
            environment: ProcessSources.environment(),
            dotEnv: try ProcessSources.dotEnv(),
            in: Surroundings(role: role, isTerminal: ProcessSources.isTerminal),
        ) { configuration, reader in
            SettingChecks(configuration, role, reader).run()
        }
    } catch {
        throw ConfigurationFailure(mistakes: error)
    }
}
