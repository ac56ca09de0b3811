import Glibc
import Settings

@main
enum Program {
    static func main() async throws {
        guard CommandLine.arguments.count > 1, let role = Role(rawValue: CommandLine.arguments[1]) else { exit(2) }
        let loaded = try Configuration.load(
            environment: ProcessSources.environment(),
            dotEnv: try ProcessSources.dotEnv(),
            role: role,
            isTerminal: ProcessSources.isTerminal,
        )
        try await Serving.run(loaded, role: role)
    }
}
