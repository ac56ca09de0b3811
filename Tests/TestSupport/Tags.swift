package import Testing

/// The ring of a suite: what it may use outside of its own process. Every suite has exactly one: see `scripts/suites`.
extension Tag {
    /// Nothing outside of the process.
    @Tag package static var unit: Tag
    /// Servers, sockets and child processes of its own.
    @Tag package static var integration: Tag
    /// One suite that runs against every implementation of a port.
    @Tag package static var conformance: Tag
    /// The built program.
    @Tag package static var system: Tag
}
