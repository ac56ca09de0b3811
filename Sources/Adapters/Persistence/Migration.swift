internal import Cryptography
internal import PostgresClient
internal import Text

/// A numbered step of the schema; its file never changes after its release.
package struct Migration: Sendable {
    package let number: Int
    /// The file's name without number and extension.
    package let name: String
    let script: PostgresScript
    /// SHA-256 of the file, in hexadecimal digits.
    let checksum: String
    /// False for a step that makes queries faster and nothing else: replicas are ready without it.
    package let isRequired: Bool

    package init(_ number: Int, _ name: String, _ file: [UInt8], isRequired: Bool = true) {
        self.number = number
        self.isRequired = isRequired
        self.name = name
        script = PostgresScript(resource: file)
        checksum = Hexadecimal.text(SHA256.digest(file))
    }

    /// The file's name without extension, such as `0001_conversations`.
    package var title: String { Self.title(number, name) }

    static func title(_ number: Int, _ name: String) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_" + name
    }

    /// The steps of this release, in order.
    package static let all = [
        Migration(1, "conversations", PackageResources._001_conversations_sql),
        Migration(2, "ending_ids", PackageResources._002_ending_ids_sql),
        Migration(3, "deleted_conversations", PackageResources._003_deleted_conversations_sql, isRequired: false),
        Migration(4, "accounts", PackageResources._004_accounts_sql),
    ]
}
