internal import Cryptography
internal import FoundationEssentials
internal import Settings

/// The secret that `lemma dev` signs tickets with, stored between runs so that an open page continues after a restart.
enum DevelopmentSecret {
    /// Reads the secret below `folder`, or makes it there, readable by its owner alone.
    static func load(_ folder: String) throws -> Secret {
        let path = "\(folder)/secret"
        if let data = FileManager.default.contents(atPath: path), data.count >= 32 {
            return Secret(String(decoding: data, as: UTF8.self))
        }
        let text = Base64URL.encode(SecureRandom.bytes(32))
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8), attributes: attributes) else {
            throw StartFailure("\(path) cannot be written")
        }
        return Secret(text)
    }
}
