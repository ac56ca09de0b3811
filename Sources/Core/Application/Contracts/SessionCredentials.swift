package import Domain

/// What a client gets when it signs in or refreshes its session.
package struct SessionCredentials: Sendable {
    package let account: Account
    package let accessToken: AccessToken
    /// Secret; spent with its first use.
    package let refreshToken: String
    /// Until the session ends, however often it is refreshed.
    package let refreshExpiresIn: Duration

    package init(account: Account, accessToken: AccessToken, refreshToken: String, refreshExpiresIn: Duration) {
        self.account = account
        self.accessToken = accessToken
        self.refreshToken = refreshToken
        self.refreshExpiresIn = refreshExpiresIn
    }
}
