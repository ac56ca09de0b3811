internal import Settings

extension Configuration.AI {
    /// A provider that `AI_PROVIDERS` may name.
    package struct Provider: RawRepresentable, CaseIterable, Sendable, Hashable {
        /// All providers.
        ///
        /// A remote one has three settings, named after it: `<NAME>_BASE_URL`, `<NAME>_API_KEY`, `<NAME>_MODEL`.
        package static let allCases: [Self] = [
            .local,
            .mock,
            Self(
                "openai",
                at: "https://api.openai.com/v1",
                "Any OpenAI-style server: OpenAI, vLLM, llama.cpp, Ollama, LiteLLM."
            ),
            Self("gemini", at: "https://generativelanguage.googleapis.com/v1beta", "A Gemini-style server."),
        ]

        /// The built-in solver.
        package static let local = Self(name: "local", remote: nil)
        /// The deterministic provider for tests and measurements, in this process.
        package static let mock = Self(name: "mock", remote: nil)

        /// The defaults of a remote provider.
        package struct Remote: Sendable, Hashable {
            /// The default of `<NAME>_BASE_URL`.
            let baseURL: SettingDefault
            /// What kind of server it is, one sentence.
            let summary: String
        }

        /// The name.
        package let rawValue: String
        /// Nil for a provider that runs in this process.
        package let remote: Remote?

        /// Finds a provider of the table by name.
        package init?(rawValue: String) {
            guard let known = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
            self = known
        }

        private init(name: String, remote: Remote?) {
            rawValue = name
            self.remote = remote
        }

        private init(_ name: String, at baseURL: SettingDefault, _ summary: String) {
            self.init(name: name, remote: Remote(baseURL: baseURL, summary: summary))
        }
    }
}
