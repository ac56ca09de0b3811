/// Every remote provider there is, by the name that `AI_PROVIDERS` knows it by: one line each.
package enum RemoteProviders {
    private static let dialects: [String: @Sendable (ProviderEndpoint) -> any ProviderDialect] = [
        "openai": { OpenAIDialect($0) },
        "gemini": { GeminiDialect($0) },
    ]

    /// The names.
    package static var names: Set<String> { Set(dialects.keys) }

    /// How the provider of that name is spoken to; nil where there is none.
    package static func dialect(_ name: String, _ endpoint: ProviderEndpoint) -> (any ProviderDialect)? {
        dialects[name]?(endpoint)
    }
}
