package import Domain
package import Shared

/// Makes an API key; its text is in the output and nowhere else.
package struct CreateAPIKey: Command {
    package let owner: AccountID
    /// Not validated yet, as are the other members.
    package let name: String?
    /// Nil for all scopes.
    package let scopes: [String]?
    /// A time in the format of RFC 3339; nil for a key that does not expire.
    package let expiresAt: String?
    package let limits: KeyLimits
    package let actsForEndUsers: Bool

    package init(
        owner: AccountID,
        name: String?,
        scopes: [String]?,
        expiresAt: String?,
        limits: KeyLimits,
        actsForEndUsers: Bool
    ) {
        self.owner = owner
        self.name = name
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.limits = limits
        self.actsForEndUsers = actsForEndUsers
    }

    package struct Output: Sendable {
        package let key: APIKey
        /// Secret.
        package let text: String
    }

    package enum Failure: Error, Equatable {
        case invalid(ValidationFailure)
        /// The account has ``APIKeyRules/keysMax`` keys.
        case tooManyKeys
        case unavailable
    }
}

package struct CreateAPIKeyHandler: CommandHandler {
    private let keys: any APIKeyRepository
    private let mint: any CredentialMint
    private let identifiers: IdentifierFactory
    private let clock: any WallClock

    package init(
        keys: any APIKeyRepository,
        mint: any CredentialMint,
        identifiers: IdentifierFactory,
        clock: any WallClock
    ) {
        self.keys = keys
        self.mint = mint
        self.identifiers = identifiers
        self.clock = clock
    }

    package func handle(_ command: CreateAPIKey) async throws(CreateAPIKey.Failure) -> CreateAPIKey.Output {
        let now = clock.now()
        let valid: CreateAPIKeyValidator.Valid
        do {
            valid = try CreateAPIKeyValidator(now: now).validate(command)
        } catch {
            throw .invalid(error)
        }
        let secret = mint.apiKey()
        let key = APIKey(
            id: identifiers.make(),
            owner: command.owner,
            name: valid.name.text,
            scopes: valid.scopes,
            limits: command.limits,
            actsForEndUsers: command.actsForEndUsers,
            createdAt: now,
            expiresAt: valid.expiresAt,
        )
        do {
            guard try await keys.list(of: command.owner).count < APIKeyRules.keysMax else {
                throw CreateAPIKey.Failure.tooManyKeys
            }
            try await keys.add(key, secret: secret.digest)
        } catch let failure as CreateAPIKey.Failure {
            throw failure
        } catch {
            throw .unavailable
        }
        return CreateAPIKey.Output(key: key, text: secret.text)
    }
}
