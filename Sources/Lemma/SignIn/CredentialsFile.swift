internal import EventLoop
internal import FoundationEssentials
internal import POSIX

/// The file with the logins of the terminal client, one a server: `$XDG_CONFIG_HOME/lemma/credentials.json`, else
/// `~/.config/lemma/credentials.json`.
///
/// Only its owner can read it: the folder has mode 0700, the file 0600, and a file that others can read is refused. A change
/// replaces the file as a whole (rename(2)), so that no reader sees half of it. Changes are made under ``whileLocked(on:_:)``.
struct CredentialsFile: Sendable {
    private static let pollPeriod = Duration.milliseconds(50)
    private static let lockLimit = Duration.seconds(30)
    private static let bytesMax = 1 << 20

    private let folder: String
    var path: String { "\(folder)/credentials.json" }

    private struct Content: Codable {
        /// By origin.
        var servers: [String: StoredLogin] = [:]
    }

    /// The file of the user that the environment describes; nil where it names no place.
    init?(environment: [String: String]) {
        // The XDG base directory specification ignores relative paths.
        if let place = environment["XDG_CONFIG_HOME"], place.hasPrefix("/") {
            folder = "\(place)/lemma"
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            folder = "\(home)/.config/lemma"
        } else {
            return nil
        }
    }

    /// The login at `server`; nil without one.
    func login(at server: ServerURL) throws(CommandFailure) -> StoredLogin? { try read().servers[server.origin] }

    /// Sets or, with nil, removes the login at `server`.
    ///
    /// To be called with the lock.
    func set(_ login: StoredLogin?, at server: ServerURL) throws(CommandFailure) {
        var content = try read()
        content.servers[server.origin] = login
        try write(content)
    }

    /// Runs `body` while no other process runs one for this file; waits up to 30 s for its turn.
    func whileLocked<Result>(on loop: Loop, _ body: () async throws -> Result) async throws -> Result {
        try makeFolder()
        let lock = try await acquireLock(on: loop)
        defer { withExtendedLifetime(lock) {} }
        return try await body()
    }

    private func acquireLock(on loop: Loop) async throws -> FileLock {
        let start = ContinuousClock.now
        while true {
            do throws(SystemError) {
                return try FileLock(at: "\(folder)/credentials.lock")
            } catch .lockIsHeld where start.duration(to: .now) < Self.lockLimit {
                try await loop.sleep(for: Self.pollPeriod)
            } catch {
                throw CommandFailure("\(folder)/credentials.lock cannot be locked: \(error)")
            }
        }
    }

    private func read() throws(CommandFailure) -> Content {
        guard let access = FileAccess(of: path) else { return Content() }
        guard access.isOwn, !access.isShared else {
            let mode = String(access.permissions, radix: 8)
            throw CommandFailure(
                "\(path) has tokens that nobody else may read, but \(access.isOwn ? "its mode is \(mode)" : "is not yours"); "
                    + "make it yours alone (chmod 600), or remove it and sign in again"
            )
        }
        guard let data = FileManager.default.contents(atPath: path), data.count <= Self.bytesMax else {
            throw CommandFailure("\(path) cannot be read")
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let content = try? decoder.decode(Content.self, from: data) else {
            throw CommandFailure("\(path) is damaged; remove it and sign in again")
        }
        return content
    }

    /// The new file gets its mode while it is empty.
    private func write(_ content: Content) throws(CommandFailure) {
        let files = FileManager.default
        let new = "\(path).new"
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try? files.removeItem(atPath: new)
            guard files.createFile(atPath: new, contents: nil, attributes: [.posixPermissions: 0o600]) else {
                throw CommandFailure("the file cannot be made")
            }
            try (encoder.encode(content) + Data("\n".utf8)).write(to: URL(filePath: new))
            try renameFile(new, to: path)
        } catch {
            throw CommandFailure("\(path) cannot be written: \(error)")
        }
    }

    private func makeFolder() throws(CommandFailure) {
        let files = FileManager.default
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o700]
        do {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: attributes)
        } catch {
            throw CommandFailure("\(folder) cannot be made: \(error)")
        }
        guard let access = FileAccess(of: folder), access.isOwn else {
            throw CommandFailure("\(folder) is not yours")
        }
        // A folder that was there before may be open to others.
        if access.isShared { try? files.setAttributes(attributes, ofItemAtPath: folder) }
        guard FileAccess(of: folder)?.isWritableByOthers == false else {
            throw CommandFailure("\(folder) can be written by others; make it yours alone (chmod 700)")
        }
    }
}
