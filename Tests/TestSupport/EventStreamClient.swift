internal import Glibc

/// A blocking client of one `text/event-stream` response (WHATWG HTML, section 9.2).
///
/// Every read has a deadline.
package final class EventStreamClient {
    package struct Event: Equatable, Sendable {
        /// Nil where the event carries none.
        package let id: String?
        package let name: String
        package let data: String
    }

    package let status: Int
    /// Names in lower case.
    package let headers: [String: String]
    /// The body of a response that is not an event stream.
    package let body: String
    /// `retry:` hints in milliseconds, and comments, in the order of their arrival.
    package private(set) var retries: [Int] = []
    package private(set) var comments: [String] = []
    /// Blank lines that ended no event: some clients report an empty event for each.
    package private(set) var blocksWithoutData = 0
    /// The id of the last event that had one.
    package private(set) var lastEventID: String?
    /// When the last event was read.
    package private(set) var lastArrival = ContinuousClock.now

    private let connection: RawClient
    private let hasEvents: Bool
    private var buffer: [UInt8] = []
    private var start = 0
    private var hasEnded = false

    /// Sends a request to a port on 127.0.0.1 and reads the head of the response.
    ///
    /// With a small `receiveBufferBytes` the server soon has to wait for this reader.
    package init(
        port: Int,
        path: String,
        method: String = "GET",
        headers: [(String, String)] = [],
        body: String = "",
        receiveBufferBytes: Int32? = nil,
        within limit: Duration = .seconds(20)
    ) throws {
        connection = try RawClient(port: port, receiveBufferBytes: receiveBufferBytes)
        connection.send(HTTPCall.request(method, path, headers, body))
        let head = try connection.readHead(within: limit)
        status = head.status
        self.headers = head.headers
        hasEvents = head.headers["content-type"]?.hasPrefix("text/event-stream") == true
        self.body = hasEvents ? "" : try connection.readBody(of: head, within: limit)
    }

    /// The next event; nil after an orderly end of the response.
    ///
    /// Throws ``RawClient/Failure`` when nothing arrives in time or the connection breaks.
    package func next(within limit: Duration = .seconds(20)) throws -> Event? {
        guard hasEvents else { return nil }
        let deadline = ContinuousClock.now + limit
        while true {
            while let block = nextBlock() {
                guard let event = parse(block) else {
                    blocksWithoutData += 1
                    continue
                }
                lastArrival = .now
                return event
            }
            if hasEnded {
                readRest()
                return nil
            }
            guard let chunk = try connection.readChunkBytes(within: deadline - .now) else {
                hasEnded = true
                continue
            }
            buffer.removeSubrange(..<start)
            start = 0
            buffer += chunk
        }
    }

    package func close() { connection.close() }

    /// The response, if it is not an event stream.
    package var response: RawResponse { RawResponse(status: status, headers: headers, body: body) }

    /// Resets the connection (RST).
    package func reset() { connection.reset() }

    /// The lines up to the next empty one.
    private func nextBlock() -> Substring? {
        let newline = UInt8(ascii: "\n")
        let length = unsafe buffer.withUnsafeBytes { bytes -> Int? in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
            var position = 0
            // Safety: memchr(3) reads within `rest`, and its result points into it.
            while let from = rest.baseAddress, position + 1 < rest.count,
                let found = unsafe memchr(from + position, Int32(newline), rest.count - 1 - position)
            {
                let index = unsafe UnsafeRawPointer(found) - from
                if unsafe rest[index + 1] == newline { return index }
                position = index + 1
            }
            return nil
        }
        guard let length else { return nil }
        defer { start += length + 2 }
        return String(decoding: buffer[start..<start + length], as: UTF8.self)[...]
    }

    /// Reads the hints behind the last event; each counts with its line.
    private func readRest() {
        guard let end = buffer[start...].lastIndex(of: UInt8(ascii: "\n")) else { return }
        _ = parse(String(decoding: buffer[start..<end], as: UTF8.self)[...])
        start = buffer.count
    }

    private func parse(_ block: Substring) -> Event? {
        var id: String?
        var name = "message"
        var data: [Substring] = []
        for line in block.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? parts[1].drop { $0 == " " } : ""
            switch parts[0] {
            case "": comments.append(String(value))
            case "id": id = String(value)
            case "event": name = String(value)
            case "data": data.append(parts[1].first == " " ? parts[1].dropFirst() : parts[1])
            case "retry": if let milliseconds = Int(value) { retries.append(milliseconds) }
            case _: break
            }
        }
        if let id { lastEventID = id }
        return data.isEmpty ? nil : Event(id: id, name: name, data: data.joined(separator: "\n"))
    }
}
