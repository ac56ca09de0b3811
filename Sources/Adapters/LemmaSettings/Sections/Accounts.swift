package import Settings

extension Configuration {
    /// Authentication.
    package struct Auth: Sendable {
        /// `JWT_SECRET`: the first signs, all verify; never empty in an API replica.
        package var jwtSecrets: [Secret]
        /// `JWT_ISSUER`.
        package var issuer: String
        /// `JWT_AUDIENCE`.
        package var audience: String
        /// `JWT_ACCESS_TTL`.
        package var accessTTL: Duration
        /// `JWT_REFRESH_TTL`.
        package var refreshTTL: Duration
        /// `AUTH_REQUIRED`.
        package var required: Bool
        /// `REGISTRATION`.
        package var registration: Registration
        /// `AUTH_ISSUERS`, a path.
        package var issuersFile: String?

        /// Who may have an account with a password.
        package enum Registration: String, Sendable, CaseIterable {
            case open
            case closed
            case off
        }
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
        issuer = reader.value("JWT_ISSUER", .text, default: "lemma", "Issuer (`iss`) of Lemma's own access tokens.")
        audience = reader.value(
            "JWT_AUDIENCE",
            .text,
            default: "lemma",
            "Audience (`aud`) of Lemma's own access tokens."
        )
        accessTTL = reader.value(
            "JWT_ACCESS_TTL",
            .duration(from: .seconds(1)),
            default: "15m",
            "Lifetime of an access token. It is not withdrawn by signing out; a disabled account's is rejected at once."
        )
        refreshTTL = reader.value(
            "JWT_REFRESH_TTL",
            .duration(from: .seconds(1)),
            default: "30d",
            "Lifetime of a login: the refresh tokens that follow it end together."
        )
        required = reader.value(
            "AUTH_REQUIRED",
            .boolean,
            default: SettingDefault(role == .dev ? "false" : "true", documented: "`true` (`false` in `dev`)"),
            "With `false`, a request without a token acts as user `anonymous`; credentials that are no access token or "
                + "API key are ignored."
        )
        registration = reader.value(
            "REGISTRATION",
            .choice,
            default: "open",
            "`open`: everyone may register; `closed`: only `lemma users add` and administrators make accounts; `off`: there are "
                + "no passwords, only `AUTH_ISSUERS` and API keys."
        )
        issuersFile = reader.optional(
            "AUTH_ISSUERS",
            .text,
            "JSON file with a list of external issuers whose access tokens are accepted; [issuers.md](issuers.md) describes it."
        )
    }
}
