import FoundationEssentials
import Glibc

/// A data directory of PostgreSQL: its programs, its owner and its lock file.
struct PostgresCluster {
    private static let installed = "/usr/lib/postgresql"

    /// Absolute.
    let folder: String
    private let programs: String
    /// As whom the programs run; nil is as ourselves.
    private let owner: Owner?

    private struct Owner {
        let user: uid_t
        let group: gid_t
    }

    /// Finds the programs of the version that made the data, or the newest.
    init(in folder: String) throws {
        let made = Self.text("\(folder)/PG_VERSION")?.prefix { $0 != "\n" }
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: Self.installed)) ?? []
        guard let version = made.map(String.init) ?? versions.compactMap({ Int($0) }).max().map(String.init) else {
            throw StartFailure("PostgreSQL is missing: install the package postgresql, or run make setup")
        }
        let programs = "\(Self.installed)/\(version)/bin"
        guard access("\(programs)/postgres", X_OK) == 0 else {
            throw StartFailure(
                "\(folder) was made by PostgreSQL \(version), which is not installed: install postgresql-\(version), or "
                    + "remove the folder to begin anew"
            )
        }
        self.init(folder: folder, programs: programs, owner: try Self.owner(of: folder))
    }

    private init(folder: String, programs: String, owner: Owner?) {
        self.folder = folder
        self.programs = programs
        self.owner = owner
    }

    private static func owner(of folder: String) throws -> Owner? {
        guard getuid() == 0 else { return nil }
        var status = stat()
        if stat(folder, &status) == 0, status.st_uid != 0 { return Owner(user: status.st_uid, group: status.st_gid) }
        guard let user = getpwnam("postgres") ?? getpwnam("nobody") else {
            throw StartFailure("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
        }
        return Owner(user: user.pointee.pw_uid, group: user.pointee.pw_gid)
    }

    var exists: Bool { Self.text("\(folder)/PG_VERSION") != nil }

    /// A program with the folder as its data directory, to be started *in* that folder.
    ///
    /// The owner may not be able to reach the folder by its path, as below root's home. So a shell opens it first, and
    /// the program gets it as a descriptor; it changes to its own folder when it starts and would not find back.
    func program(_ name: String) -> [String] {
        let owned = owner.map { ["--reuid=\($0.user)", "--regid=\($0.group)", "--clear-groups"] } ?? []
        let command = ["--pdeathsig", "INT"] + owned + ["\(programs)/\(name)", "-D", "/proc/self/fd/3"]
        return ["/bin/sh", "-c", "exec 3<. && cd / && exec /usr/bin/setpriv \"$@\"", "sh"] + command
    }

    /// An empty folder beside this one, of the same owner.
    func draft() throws -> PostgresCluster {
        let path = "\(folder).new"
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        if let owner, chown(path, owner.user, owner.group) != 0 {
            throw StartFailure("\(path) cannot be given to another user: \(String(cString: strerror(errno)))")
        }
        return PostgresCluster(folder: path, programs: programs, owner: owner)
    }

    /// Moves a draft into this place.
    func adopt(_ draft: PostgresCluster) throws {
        guard rename(draft.folder, folder) == 0 else {
            throw StartFailure("\(draft.folder) cannot be moved to \(folder): \(String(cString: strerror(errno)))")
        }
    }

    // MARK: The lock file

    /// PostgreSQL writes its process id into the first line and its state into the last.
    private var lock: [Substring] { Self.text("\(folder)/postmaster.pid")?.split(separator: "\n") ?? [] }

    var isReady: Bool { lock.last?.hasPrefix("ready") == true }

    /// The process that the lock file names; it may be long gone.
    var lockOwner: Int32? { lock.first.flatMap { Int32($0) } }

    /// Whether a process is a server of this folder, and not one that got its number later.
    func isServer(_ process: Int32) -> Bool {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd")) == folder
    }

    func removeLock() { unlink("\(folder)/postmaster.pid") }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
