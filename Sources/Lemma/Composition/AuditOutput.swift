import Glibc
import Infrastructure
import LemmaSettings
import POSIX

extension JSONAuditLog {
    /// Of a replica: where AUDIT_LOG says.
    static func ofReplica(_ configuration: Configuration) throws -> JSONAuditLog {
        try make(configuration, standard: STDOUT_FILENO)
    }

    /// Of a command, whose standard output is its result: standard error instead.
    static func ofCommand(_ configuration: Configuration) throws -> JSONAuditLog {
        try make(configuration, standard: STDERR_FILENO)
    }

    private static func make(_ configuration: Configuration, standard: Int32) throws -> JSONAuditLog {
        let service = configuration.otel.serviceName
        let version = ReplicaDependencies.version
        guard let path = configuration.logging.auditFile else {
            return JSONAuditLog(descriptor: standard, service: service, version: version)
        }
        return JSONAuditLog(try LogFile(path: path), service: service, version: version)
    }
}
