package import Telemetry

extension Logger {
    /// A logger that writes nothing.
    package static let disabled = Logger(
        output: LogOutput(descriptor: -1, service: "", version: "", level: nil, format: .json)
    )
}
