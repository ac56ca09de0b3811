package import Settings

extension Configuration {
    /// AI providers.
    package struct AI: Sendable {
        /// How a remote provider is called.
        package struct Endpoint: Sendable {
            /// Without a trailing slash.
            package var baseURL: String
            /// Nil for a server that requires none.
            package var apiKey: Secret?
            /// The model requested.
            package var model: String?
        }

        /// `AI_PROVIDERS`: the fallback chain; never empty in a replica.
        package var providers: [Provider]
        /// `OPENAI_…`, `GEMINI_…`: one for each remote provider, by its name.
        package var endpoints: [String: Endpoint]
    }
}

extension Configuration.AI {
    init(_ reader: SettingReader, _ role: Role) {
        let chain = reader.optional(
            "AI_PROVIDERS",
            SettingFormat<Provider>.choice.list(),
            required: role.isReplica,
            default: role == .dev ? "local" : nil,
            documented: "`local` in `dev`, else required",
            "Fallback chain, in order."
        )
        providers = chain ?? []
        endpoints = [:]
        for provider in Provider.allCases {
            guard let remote = provider.remote else { continue }
            // The model is required only in a process that calls the provider.
            let isCalled = (role == .dev || role == .worker) && providers.contains(provider)
            endpoints[provider.rawValue] = Endpoint(reader, provider.rawValue, remote, isCalled: isCalled)
        }
    }
}

extension Configuration.AI.Endpoint {
    fileprivate init(
        _ reader: SettingReader,
        _ name: String,
        _ remote: Configuration.AI.Provider.Remote,
        isCalled: Bool
    ) {
        let prefix = name.uppercased()
        baseURL = reader.value("\(prefix)_BASE_URL", .httpURL, default: remote.baseURL, remote.summary)
        apiKey = reader.optional("\(prefix)_API_KEY", .secret(), "Key of that server, if it requires one.")
        model = reader.optional(
            "\(prefix)_MODEL",
            .text,
            required: isCalled,
            documented: "required where `AI_PROVIDERS` names `\(name)`",
            "Model requested from that server."
        )
    }
}
