import FoundationEssentials
import POSIX

/// Prevents a second `lemma dev` in the same folder; released with the process.
struct FolderLock: ~Copyable {
    private let lock: FileLock

    /// Acquires the lock; creates the folder where it is missing.
    ///
    /// Throws ``StartFailure`` when another process holds it.
    static func acquire(_ folder: String) throws -> FolderLock {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        do throws(SystemError) {
            return FolderLock(lock: try FileLock(at: "\(folder)/lock"))
        } catch .lockIsHeld {
            throw StartFailure("another lemma dev is running in this folder; stop it first")
        } catch {
            throw StartFailure("\(folder)/lock cannot be opened: \(error)")
        }
    }
}
