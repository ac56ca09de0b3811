internal import Application
internal import Domain
internal import PostgresClient
internal import Shared

/// An account, as a row of `users AS u`.
enum StoredAccount {
    /// The select list that ``read(_:at:)`` expects.
    static let columns = """
        u.id, u.email, u.display_name, array_to_string(u.roles, ' '), u.issuer, u.subject, u.disabled_at IS NOT NULL, \
        u.created_at
        """
    static let columnCount = 8

    /// Reads the columns from `first` on; nil for a row that this release cannot read.
    static func read(_ row: PostgresRow, at first: Int = 0) -> Account? {
        guard let id: AccountID = row.id(first), let createdAt = row.time(first + 7) else { return nil }
        let origin: Account.Origin =
            if let issuer = row.text(first + 4), let subject = row.text(first + 5) {
                .issuer(issuer, subject: subject)
            } else {
                .password
            }
        return Account(
            id: id,
            email: row.text(first + 1).map { EmailAddress(stored: $0) },
            displayName: row.text(first + 2),
            roles: row.words(first + 3),
            origin: origin,
            isDisabled: row.boolean(first + 6) ?? false,
            createdAt: createdAt,
        )
    }

    /// A row with the digest of the password behind those columns; nil also without a password.
    static func readWithPassword(_ row: PostgresRow) -> PasswordAccount? {
        guard let account = read(row), let hash = row.text(columnCount) else { return nil }
        return PasswordAccount(account: account, hash: PasswordHash(hash))
    }

    /// In a fixed order.
    static func roles(_ roles: Set<Role>) -> PostgresValue { .texts(roles.sorted().map(\.rawValue)) }
}
