import Glibc

/// A real PgBouncer in front of a server, which assigns one of its few sessions to each transaction.
///
/// It ends, and its files are removed, at the latest with this object.
package final class PgBouncer: Sendable {
    package let port: Int
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    /// `sessions` on the server at most, fewer than its clients have connections.
    package init(before server: PostgresServer, sessions: Int = 2) throws {
        port = try LoopbackSocket.freePort()
        directory = try TemporaryDirectory()
        let settings = """
            [databases]
            * = host=127.0.0.1 port=\(server.port) user=lemma
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = \(sessions)
            max_client_conn = 200
            """
        let file = "\(directory.path)/pgbouncer.ini"
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        defer { close(descriptor) }
        guard descriptor >= 0, unsafe write(descriptor, settings, settings.utf8.count) == settings.utf8.count else {
            throw ChildProcessError(description: "\(file) cannot be written")
        }
        // It refuses to run as root; `-u` names the user to switch to.
        unsafe chmod(directory.path, 0o755)
        let log = "\(directory.path)/log"
        process = try ChildProcess.start(["pgbouncer", "-u", "postgres", file], outputPath: log)
        let start = ContinuousClock.now
        while (try? RawClient(port: port))?.close() == nil {
            guard process.endStatus == nil, ContinuousClock.now - start < .seconds(20) else {
                throw ChildProcessError(description: "pgbouncer does not answer: \(textOfFile(log))")
            }
            usleep(5000)
        }
    }

    deinit {
        process.signal(SIGKILL)
        process.wait()
    }

    /// The URL of a database through the pooler.
    package func url(_ database: PostgresTestDatabase) -> String {
        "postgres://lemma@127.0.0.1:\(port)/\(database.name)"
    }
}
