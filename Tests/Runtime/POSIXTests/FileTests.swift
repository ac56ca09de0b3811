import FoundationEssentials
import POSIX
import TestSupport
import Testing

@Suite("Files", .tags(.integration))
struct FileTests {
    @Test("A lock is held by one value at a time and released with it")
    func lock() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/lock"
        do {
            let first = try FileLock(at: path)
            #expect(throws: SystemError.lockIsHeld) { _ = try FileLock(at: path) }
            _ = consume first
        }
        _ = try FileLock(at: path)
    }

    @Test("A lock in a missing folder reports the system's error")
    func missingFolder() throws {
        let folder = try TemporaryDirectory()
        do {
            _ = try FileLock(at: folder.path + "/missing/lock")
            Issue.record("the lock was acquired")
        } catch {
            #expect(error.description == "No such file or directory")
        }
    }

    @Test("The owner of a file can own another one")
    func owner() throws {
        let folder = try TemporaryDirectory()
        let owner = try #require(FileOwner(of: folder.path))
        try owner.own(folder.path)
        #expect(FileOwner(of: folder.path) == owner)
        #expect(FileOwner(of: folder.path + "/missing") == nil)
        #expect(throws: SystemError.self) { try owner.own(folder.path + "/missing") }
    }

    @Test("The access to a file says whose it is, and who else may read and write it")
    func access() throws {
        let folder = try TemporaryDirectory()
        let expected = [(0o600, false, false), (0o644, true, false), (0o660, true, true), (0o602, true, true)]
        for (permissions, isShared, isWritable) in expected {
            try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: folder.path)
            let access = try #require(FileAccess(of: folder.path))
            #expect(access.isOwn)
            #expect(access.permissions == UInt32(permissions))
            #expect(access.isShared == isShared)
            #expect(access.isWritableByOthers == isWritable)
        }
        #expect(FileAccess(of: folder.path + "/missing") == nil)
    }

    @Test("Users are found by name")
    func users() {
        #expect(FileOwner(named: "root")?.user == 0)
        #expect(FileOwner(named: "no such user") == nil)
    }

    @Test("Renaming moves a folder onto an empty one")
    func rename() throws {
        let folder = try TemporaryDirectory()
        let empty = try TemporaryDirectory()
        let owner = FileOwner(of: folder.path)
        try renameFile(folder.path, to: empty.path)
        #expect(FileOwner(of: folder.path) == nil)
        #expect(FileOwner(of: empty.path) == owner)
    }
}
