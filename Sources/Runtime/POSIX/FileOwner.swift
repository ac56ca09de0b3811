internal import Glibc

/// The user and the group that own a file or run a process.
package struct FileOwner: Equatable, Sendable {
    package let user: UInt32
    package let group: UInt32

    /// True for the process's own user when it is root.
    package static var isRootProcess: Bool { getuid() == 0 }

    /// The owner of the file or folder at `path`; nil when its status cannot be read.
    package init?(of path: String) {
        guard let status = status(of: path) else { return nil }
        user = status.st_uid
        group = status.st_gid
    }

    /// The user of that name and its primary group; nil when the system has no such user.
    ///
    /// Not thread-safe: getpwnam(3) uses a static buffer.
    package init?(named name: String) {
        // Safety: the entry is copied before the next call.
        guard let entry = unsafe getpwnam(name) else { return nil }
        unsafe (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    /// Makes this the owner of the file or folder at `path`.
    package func own(_ path: String) throws(SystemError) {
        guard unsafe chown(path, user, group) == 0 else { throw .last }
    }
}

/// Who may use a file or folder.
package struct FileAccess: Equatable, Sendable {
    /// True if it belongs to the user of this process.
    package let isOwn: Bool
    /// The permission bits, such as `0o600`.
    package let permissions: UInt32

    /// The access to the file or folder at `path`, links followed; nil when its status cannot be read.
    package init?(of path: String) {
        guard let status = status(of: path) else { return nil }
        isOwn = status.st_uid == geteuid()
        permissions = status.st_mode & 0o7777
    }

    /// True if its group or all users may read, write or search it.
    package var isShared: Bool { permissions & 0o077 != 0 }
    /// True if its group or all users may write it.
    package var isWritableByOthers: Bool { permissions & 0o022 != 0 }
}

private func status(of path: String) -> stat? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status : nil
}

/// Renames a file or folder; replaces a file or an empty folder at `target` (rename(2)).
package func renameFile(_ source: String, to target: String) throws(SystemError) {
    guard unsafe rename(source, target) == 0 else { throw .last }
}
