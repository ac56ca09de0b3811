package import Settings

extension Configuration {
    /// The terminal client.
    package struct Client: Sendable {
        /// `LEMMA_API_KEY`.
        package var apiKey: Secret?
    }
}

extension Configuration.Client {
    init(_ reader: SettingReader) {
        apiKey = reader.optional(
            "LEMMA_API_KEY",
            .secret(),
            "API key that `lemma ask` sends; it takes precedence over `lemma login`."
        )
    }
}
