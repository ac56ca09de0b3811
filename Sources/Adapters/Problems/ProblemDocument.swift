package import Shared

extension JSONWriter {
    /// Writes the members that every problem document begins with (RFC 9457, section 3.1).
    ///
    /// `detail` is a sentence for the client; it names no secret and no internal address.
    package mutating func problem(_ kind: ProblemKind, detail: String) {
        let row = kind.problemType
        member("type", row.uri)
        member("title", row.title)
        member("status", row.status)
        member("detail", detail)
    }
}
