internal import Settings

extension Configuration {
    /// The part of a conversation that a provider receives.
    package struct Context: Sendable {
        /// `CONTEXT_MAX_TURNS`.
        package var maxTurns: Int
        /// `CONTEXT_MAX_TOKENS`.
        package var maxTokens: Int
    }
}

extension Configuration.Context {
    init(_ reader: SettingReader) {
        maxTurns = reader.value(
            "CONTEXT_MAX_TURNS",
            .integer(0...10_000),
            default: "20",
            "Earlier turns of a conversation sent to the provider; a turn is a problem with its answer."
        )
        maxTokens = reader.value(
            "CONTEXT_MAX_TOKENS",
            .integer(0...100_000_000),
            default: "8000",
            "Tokens of earlier turns sent to the provider."
        )
    }
}
