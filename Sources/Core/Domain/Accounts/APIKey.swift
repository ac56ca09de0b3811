package import Shared

/// What an API key may do.
package enum KeyScope: String, Sendable, CaseIterable, Comparable {
    /// Reads requests, streams, conversations and usage.
    case read
    /// Submits problems, and does everything about requests and conversations.
    case solve

    package static func < (one: KeyScope, other: KeyScope) -> Bool { one.rawValue < other.rawValue }
}

/// The limits of one API key, which count all its end users together; nil where the key has no such limit of its own.
package struct KeyLimits: Sendable, Hashable {
    package static let none = KeyLimits()

    /// Submissions.
    package var requestsPerMinute: Int?
    /// Requests queued or running.
    package var maxActive: Int?
    /// Provider tokens per UTC day, input and output.
    package var tokensPerDay: Int?

    package init(requestsPerMinute: Int? = nil, maxActive: Int? = nil, tokensPerDay: Int? = nil) {
        self.requestsPerMinute = requestsPerMinute
        self.maxActive = maxActive
        self.tokensPerDay = tokensPerDay
    }
}

/// A credential of an account for its servers.
///
/// The secret itself is not stored, only its digest.
package struct APIKey: Sendable, Equatable {
    package let id: APIKeyID
    package let owner: AccountID
    /// For its owner; 1 to 100 Unicode scalars.
    package let name: String
    package let scopes: Set<KeyScope>
    package let limits: KeyLimits
    /// Whether requests may name an end user by `X-End-User`.
    package let actsForEndUsers: Bool
    package let createdAt: Timestamp
    /// Nil for a key that does not expire.
    package let expiresAt: Timestamp?
    /// Accurate to about a minute; nil for a key that was not used yet.
    package let lastUsedAt: Timestamp?

    package init(
        id: APIKeyID,
        owner: AccountID,
        name: String,
        scopes: Set<KeyScope>,
        limits: KeyLimits,
        actsForEndUsers: Bool,
        createdAt: Timestamp,
        expiresAt: Timestamp?,
        lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.owner = owner
        self.name = name
        self.scopes = scopes
        self.limits = limits
        self.actsForEndUsers = actsForEndUsers
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
    }
}
