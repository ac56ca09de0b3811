internal import Text

/// A problem document (RFC 9457): the status' phrase as its title and, as a slug, its type (`/problems/bad-request`), the
/// path as its instance where it is known.
@Sendable
package func problemResponse(status: Int, detail: String, request: RefusedRequest) -> HTTPResponse {
    let title = reasonPhrase(of: status).description
    let slug = title.lowercased().split(separator: " ").joined(separator: "-")
    var body = Array(#"{"type":"/problems/\#(slug)","title":"\#(title)","status":\#(status)"#.utf8)
    appendMember("detail", detail, to: &body)
    if let path = request.path { appendMember("instance", path, to: &body) }
    body.append(UInt8(ascii: "}"))
    return HTTPResponse(status: status, headers: ["Content-Type": "application/problem+json"], body: body)
}

private func appendMember(_ name: StaticString, _ value: String, to body: inout [UInt8]) {
    body.append(",\"")
    body.append(name)
    body.append("\":\"")
    JSONText.escape(value, into: &body)
    body.append("\"")
}
