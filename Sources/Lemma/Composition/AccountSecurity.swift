import Application
import EventLoop
import Infrastructure

/// What hashes passwords and makes credentials.
enum AccountSecurity {
    static var mint: any CredentialMint { RandomCredentialMint() }

    /// For a command that hashes one password.
    static var hashing: any PasswordHashing {
        SodiumPasswordHashing(pool: BlockingPool(threadsMax: 1, waitingMax: 1))
    }
}
