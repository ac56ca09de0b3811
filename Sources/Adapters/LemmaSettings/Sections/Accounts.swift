package import Settings

extension Configuration {
    /// Authentication.
    package struct Auth: Sendable {
        /// `JWT_SECRET`: the first signs, all verify; never empty in an API replica.
        package var jwtSecrets: [Secret]
        /// `JWT_ACCESS_TTL`.
        package var accessTTL: Duration
        /// `JWT_REFRESH_TTL`.
        package var refreshTTL: Duration
        /// `AUTH_REQUIRED`.
        package var required: Bool
    }
}

extension Configuration.Auth {
    init(_ reader: SettingReader, _ role: Role) {
        let secrets = reader.optional(
            "JWT_SECRET",
            SettingFormat<Secret>.secret(bytesMin: 32).list(),
            required: role == .api,
            documented: "required for `api`",
            "Keys of the access tokens. The first signs, all verify, so that keys can be rotated without an interruption."
        )
        jwtSecrets = secrets ?? []
        accessTTL = reader.value(
            "JWT_ACCESS_TTL",
            .duration(from: .seconds(1)),
            default: "15m",
            reserved: true,
            "Lifetime of an access token."
        )
        refreshTTL = reader.value(
            "JWT_REFRESH_TTL",
            .duration(from: .seconds(1)),
            default: "30d",
            reserved: true,
            "Lifetime of a refresh token."
        )
        required = reader.value(
            "AUTH_REQUIRED",
            .boolean,
            default: SettingDefault(role == .dev ? "false" : "true", documented: "`true` (`false` in `dev`)"),
            "With `false`, a request without a token acts as user `anonymous`; credentials that are no access token or "
                + "API key are ignored."
        )
    }
}
