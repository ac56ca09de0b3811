import FoundationEssentials
import Glibc

/// Keeps a second `lemma dev` out of the same folder (flock(2)); released with the process.
struct FolderLock: ~Copyable {
    private let descriptor: Int32

    deinit { close(descriptor) }

    /// Takes the lock; creates the folder where it is missing.
    ///
    /// Throws ``StartFailure`` when another process has it.
    static func acquire(_ folder: String) throws -> FolderLock {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let descriptor = open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StartFailure("\(folder)/lock cannot be opened: \(String(cString: strerror(errno)))")
        }
        let lock = FolderLock(descriptor: descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw StartFailure("another lemma dev is running in this folder; stop it first")
        }
        return lock
    }
}
