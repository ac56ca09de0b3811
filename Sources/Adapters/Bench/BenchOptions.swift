/// What `lemma bench` was asked to do.
package struct BenchOptions: Equatable, Sendable {
    /// Numeric address or name of the system under test.
    package var host = "127.0.0.1"
    package var port = 8080
    /// Sent as `Authorization: Bearer`; nil acts as the anonymous user.
    package var accessToken: String?
    /// Students at once, each with one request running; at least 1.
    package var streams = 100
    /// Tokens a second, over all streams, that the pacing of the worker's provider is meant to give; nil: not compared.
    package var rate: Int?
    /// Measured time.
    package var duration = Duration.seconds(10)
    /// Time before it in which nothing is counted: the first submissions are spread over half of it.
    package var warmUp = Duration.seconds(2)
    /// Ends the run early, after this many finished requests.
    package var requests: Int?
    /// Asks for the stream in the POST itself instead of by a GET of `streamUrl`.
    package var streamsFromPost = false
    /// Prints one JSON object instead of a table.
    package var printsJSON = false

    package init() {}

    package static let usage = """
        usage: lemma bench [--url http://HOST:PORT] [--streams N] [--duration 10s] [--rate TOKENS_PER_SECOND]
                           [--warm-up 2s] [--requests N] [--post-stream] [--token ACCESS_TOKEN] [--json]

        Submits problems to a running system and watches their event streams, N at a time, the next as soon as one has
        ended. Measures from submission to the first token and, when the worker's provider is the mock with
        MOCK_CONTENT=timestamps on the same machine, from provider to client for every token.

          --rate         tokens a second to expect: the worker sets the pace (MOCK_TOKEN_DELAY = streams / rate)
          --requests     stops after so many requests
          --post-stream  takes the stream as the answer to the POST, not from streamUrl
        """
}

/// A command line that `lemma bench` does not understand; the text is for standard error.
package struct BenchUsageError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

extension BenchOptions {
    /// Reads the arguments that follow `bench`.
    package init(arguments: [String]) throws(BenchUsageError) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            switch name {
            case "--post-stream": streamsFromPost = true
            case "--json": printsJSON = true
            case "--url": try readAddress(of: Self.value(of: name, &rest))
            case "--token": accessToken = try Self.value(of: name, &rest)
            case "--streams": streams = try Self.count(name, &rest)
            case "--rate": rate = try Self.count(name, &rest)
            case "--requests": requests = try Self.count(name, &rest)
            case "--duration": duration = try Self.duration(name, &rest)
            case "--warm-up": warmUp = try Self.duration(name, &rest)
            case let other: throw BenchUsageError(description: "unknown option \(other)")
            }
        }
    }

    private mutating func readAddress(of url: String) throws(BenchUsageError) {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else {
            throw BenchUsageError(description: "--url \(url): must be http://HOST:PORT")
        }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty, parts.count <= 2 else {
            throw BenchUsageError(description: "--url \(url): must be http://HOST:PORT")
        }
        guard let number = parts.count == 2 ? Int(parts[1]) : 80, (1...65_535).contains(number) else {
            throw BenchUsageError(description: "--url \(url): the port must be 1 to 65535")
        }
        host = String(name)
        port = number
    }

    private static func value(
        of name: String,
        _ rest: inout ArraySlice<String>
    ) throws(BenchUsageError) -> String {
        guard let value = rest.popFirst() else { throw BenchUsageError(description: "\(name) needs a value") }
        return value
    }

    private static func count(_ name: String, _ rest: inout ArraySlice<String>) throws(BenchUsageError) -> Int {
        let text = try value(of: name, &rest)
        guard let number = Int(text), (1...10_000_000).contains(number) else {
            throw BenchUsageError(description: "\(name) \(text): must be a whole number from 1 to 10000000")
        }
        return number
    }

    private static func duration(_ name: String, _ rest: inout ArraySlice<String>) throws(BenchUsageError) -> Duration {
        let text = try value(of: name, &rest)
        let digits = text.prefix { $0.isWholeNumber }
        if let number = Int64(digits), number <= 86_400_000 {
            switch text.dropFirst(digits.count) {
            case "ms": return .milliseconds(number)
            case "s": return .seconds(number)
            case "m": return .seconds(number * 60)
            case _: break
            }
        }
        throw BenchUsageError(description: "\(name) \(text): must be a duration such as 500ms, 20s or 2m")
    }
}
