package import Settings

extension Configuration {
    /// Limits per user and per address, and the trusted sources of addresses.
    package struct Limits: Sendable {
        /// `RATE_LIMIT_SOLVE`, per user; nil when off.
        package var solve: Rate?
        /// `RATE_LIMIT_AUTH`, per address; nil when off.
        package var auth: Rate?
        /// `USER_MAX_ACTIVE`; nil when off.
        package var userMaxActive: Int?
        /// `USER_DAILY_TOKENS`; nil when off.
        package var userDailyTokens: Int?
        /// `ADDRESS_MAX_CONNECTIONS`; nil when off.
        package var addressMaxConnections: Int?
        /// `CORS_ORIGINS`, in lower case; `*` for all.
        package var corsOrigins: [String]
        /// `TRUSTED_PROXIES`.
        package var trustedProxies: [IPNetwork]
    }
}

extension Configuration.Limits {
    init(_ reader: SettingReader, _ role: Role) {
        func offInDevelopment(_ text: String) -> SettingDefault {
            SettingDefault(role == .dev ? "off" : text, documented: "`\(text)` (`off` in `dev`)")
        }
        solve = reader.value(
            "RATE_LIMIT_SOLVE",
            SettingFormat<Rate>.rate.orOff(),
            default: offInDevelopment("60/m"),
            "Submissions per user; of `anonymous` per address."
        )
        auth = reader.value(
            "RATE_LIMIT_AUTH",
            SettingFormat<Rate>.rate.orOff(),
            default: offInDevelopment("10/m"),
            "Requests with a password per address, and password checks per account."
        )
        userMaxActive = reader.value(
            "USER_MAX_ACTIVE",
            SettingFormat<Int>.integer(1...1_000_000).orOff(),
            default: "4",
            "Requests queued or running per user; `anonymous` has no such limit."
        )
        userDailyTokens = reader.value(
            "USER_DAILY_TOKENS",
            SettingFormat<Int>.integer(1...1_000_000_000_000).orOff(),
            default: "off",
            "Provider tokens, input and output, per user and UTC day; of `anonymous` per address."
        )
        addressMaxConnections = reader.value(
            "ADDRESS_MAX_CONNECTIONS",
            SettingFormat<Int>.integer(1...1_000_000).orOff(),
            default: offInDevelopment("1000"),
            "Open connections per client address and replica, except those of `TRUSTED_PROXIES`; one more is answered with "
                + "503."
        )
        corsOrigins =
            reader.optional("CORS_ORIGINS", SettingFormat<String>.origin.list(), "Allowed browser origins.") ?? []
        let networks = reader.optional(
            "TRUSTED_PROXIES",
            SettingFormat<IPNetwork>.network.list(),
            "Networks whose `X-Forwarded-For` is trusted."
        )
        trustedProxies = networks ?? []
    }
}
