/// Every remote provider there is, by the name that `AI_PROVIDERS` knows it by: one line each.
package enum RemoteProviders {
    private static let dialects: [String: @Sendable (ProviderEndpoint) -> any ProviderDialect] = [
        "openai": { OpenAIDialect($0) },
        "gemini": { GeminiDialect($0) },
    ]

    /// The names.
    package static var names: Set<String> { Set(dialects.keys) }

    /// The dialect of the provider with that name; nil for an unknown name.
    package static func dialect(_ name: String, _ endpoint: ProviderEndpoint) -> (any ProviderDialect)? {
        dialects[name]?(endpoint)
    }
}
