internal import Settings

extension Configuration {
    /// The mock provider.
    package struct Mock: Sendable {
        /// The content of its tokens.
        package enum Content: String, Sendable, CaseIterable {
            case echo
            case conversation
            case timestamps
        }

        /// `MOCK_TOKENS`; nil for one token for each word of the problem.
        package var tokens: Int?
        /// `MOCK_TOKEN_DELAY`.
        package var tokenDelay: Duration
        /// `MOCK_FIRST_TOKEN_DELAY`.
        package var firstTokenDelay: Duration
        /// `MOCK_CONTENT`.
        package var content: Content
        /// `MOCK_SCRIPT`, a path.
        package var script: String?
    }
}

extension Configuration.Mock {
    init(_ reader: SettingReader) {
        tokens = reader.optional(
            "MOCK_TOKENS",
            .integer(1...10_000_000),
            "Number of tokens; by default one for each word of the problem."
        )
        tokenDelay = reader.value(
            "MOCK_TOKEN_DELAY",
            .duration(from: .zero),
            default: "0ms",
            "Pause before each later token."
        )
        firstTokenDelay = reader.value(
            "MOCK_FIRST_TOKEN_DELAY",
            .duration(from: .zero),
            default: "0ms",
            "Pause before the first token."
        )
        content = reader.value(
            "MOCK_CONTENT",
            .choice,
            default: "echo",
            "`echo`: the problem's words, repeated; `conversation`: the words of the earlier turns first; "
                + "`timestamps`: the monotonic clock in nanoseconds."
        )
        script = reader.optional("MOCK_SCRIPT", .text, "File that makes the mock fail in named ways.")
    }
}
