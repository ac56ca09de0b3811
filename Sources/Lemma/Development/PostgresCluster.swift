import FoundationEssentials
import POSIX

/// A data directory of PostgreSQL: its programs, its owner and its lock file.
struct PostgresCluster {
    private static let installed = "/usr/lib/postgresql"

    /// Absolute.
    let folder: String
    private let programs: String
    /// The user that runs the programs; nil for this process's own.
    private let owner: FileOwner?

    /// Finds the programs of the version that made the data, or the newest.
    init(in folder: String) throws {
        let made = Self.text("\(folder)/PG_VERSION")?.prefix { $0 != "\n" }
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: Self.installed)) ?? []
        guard let version = made.map(String.init) ?? versions.compactMap({ Int($0) }).max().map(String.init) else {
            throw StartFailure("PostgreSQL is missing: install the package postgresql, or run make setup")
        }
        let programs = "\(Self.installed)/\(version)/bin"
        guard FileManager.default.isExecutableFile(atPath: "\(programs)/postgres") else {
            throw StartFailure(
                "\(folder) was made by PostgreSQL \(version), which is not installed: install postgresql-\(version), or "
                    + "remove the folder to begin anew"
            )
        }
        self.init(folder: folder, programs: programs, owner: try Self.owner(of: folder))
    }

    private init(folder: String, programs: String, owner: FileOwner?) {
        self.folder = folder
        self.programs = programs
        self.owner = owner
    }

    private static func owner(of folder: String) throws -> FileOwner? {
        guard FileOwner.isRootProcess else { return nil }
        if let owner = FileOwner(of: folder), owner.user != 0 { return owner }
        guard let owner = FileOwner(named: "postgres") ?? FileOwner(named: "nobody") else {
            throw StartFailure("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
        }
        return owner
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
        do throws(SystemError) {
            try owner?.own(path)
        } catch {
            throw StartFailure("the owner of \(path) cannot be changed: \(error)")
        }
        return PostgresCluster(folder: path, programs: programs, owner: owner)
    }

    /// Moves a draft into this place.
    func adopt(_ draft: PostgresCluster) throws {
        do throws(SystemError) {
            try renameFile(draft.folder, to: folder)
        } catch {
            throw StartFailure("\(draft.folder) cannot be renamed to \(folder): \(error)")
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

    func removeLock() { try? FileManager.default.removeItem(atPath: "\(folder)/postmaster.pid") }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
