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
        /// `CORS_ORIGINS`, in lower case; `*` for all.
        package var corsOrigins: [String]
        /// `TRUSTED_PROXIES`.
        package var trustedProxies: [IPNetwork]
    }
}

extension Configuration.Limits {
    init(_ reader: SettingReader, _ role: Role) {
        func rate(_ text: String) -> SettingDefault {
            SettingDefault(role == .dev ? "off" : text, documented: "`\(text)` (`off` in `dev`)")
        }
        solve = reader.value(
            "RATE_LIMIT_SOLVE",
            SettingFormat<Rate>.rate.orOff(),
            default: rate("60/m"),
            reserved: true,
            "Submissions per user."
        )
        auth = reader.value(
            "RATE_LIMIT_AUTH",
            SettingFormat<Rate>.rate.orOff(),
            default: rate("10/m"),
            reserved: true,
            "Registrations and logins per address."
        )
        userMaxActive = reader.value(
            "USER_MAX_ACTIVE",
            SettingFormat<Int>.integer(1...1_000_000).orOff(),
            default: "4",
            reserved: true,
            "Requests queued or running per user; `anonymous` has no such limit."
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
