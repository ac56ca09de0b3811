/// One request on a connection of its own.
package enum HTTPCall {
    /// Sends it to a port on 127.0.0.1 and returns the whole response.
    package static func send(
        _ method: String,
        port: Int,
        _ path: String,
        headers: [(String, String)] = [],
        body: String = "",
        within limit: Duration = .seconds(20)
    ) throws -> RawResponse {
        let connection = try RawClient(port: port)
        defer { connection.close() }
        connection.send(request(method, path, headers + [("Connection", "close")], body))
        return try connection.readResponse(hasBody: method != "HEAD", within: limit)
    }

    static func request(
        _ method: String,
        _ path: String,
        _ headers: [(String, String)],
        _ body: String
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !body.isEmpty { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return text + "\r\n" + body
    }
}
