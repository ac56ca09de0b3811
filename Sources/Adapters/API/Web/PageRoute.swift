internal import HTTPServer
internal import Shared
internal import Text

/// `GET /` and `GET /assets/…`: the web page.
struct PageRoute {
    /// Scripts come from this server alone.
    ///
    /// Styles may be inline because KaTeX sets them on what it renders.
    private static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        + "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    let assets: WebAssets

    /// Without a file in the path, the response is the page itself.
    func handle(_: Caller, _ context: RequestContext) throws(APIProblem) {
        let name = context.parameter.map { String($0) } ?? "index.html"
        guard let asset = assets[name] else { throw APIProblem(.notFound, "There is nothing at this path.") }
        let headers: HTTPFields = [
            "ETag": asset.tag,
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": Self.contentSecurityPolicy,
        ]
        if Self.isKnown(asset.tag, to: context.request.headers["If-None-Match"]) {
            return context.respond(HTTPResponse(status: 304, headers: headers))
        }
        var response = HTTPResponse(status: 200, headers: headers, body: asset.bytes)
        response.headers.append("Content-Type", asset.contentType)
        context.respond(response)
    }

    /// Weak comparison (RFC 9110, section 13.1.2): a proxy that compresses makes a tag weak.
    private static func isKnown(_ tag: String, to header: String?) -> Bool {
        (header ?? "").split(separator: ",").contains { member in
            let member = member.trimmingBlanks
            return member == "*" || member == tag || member == "W/\(tag)"
        }
    }
}
