import TestSupport
import Testing

@testable import Bench

@Suite("The command line of lemma bench", .tags(.unit))
struct BenchOptionsTests {
    @Test("Every option is understood")
    func everything() throws {
        let options = try BenchOptions(arguments: [
            "--url", "http://127.0.0.1:8081/", "--streams", "1000", "--rate", "20000", "--duration", "1500ms",
            "--warm-up", "2m", "--requests", "5", "--post-stream", "--token", "abc", "--json",
        ])
        #expect(options.host == "127.0.0.1" && options.port == 8081)
        #expect(options.streams == 1000 && options.rate == 20_000 && options.requests == 5)
        #expect(options.duration == .milliseconds(1500) && options.warmUp == .seconds(120))
        #expect(options.streamsFromPost && options.printsJSON && options.accessToken == "abc")
    }

    @Test("A port that is not given is 80")
    func port() throws {
        #expect(try BenchOptions(arguments: ["--url", "http://localhost"]).port == 80)
    }

    @Test(
        "A mistake names the option and what is allowed",
        arguments: [
            (["--streams", "0"], "--streams 0: must be a whole number from 1 to 10000000"),
            (["--duration", "5"], "--duration 5: must be a duration such as 500ms, 20s or 2m"),
            (["--url", "https://a"], "--url https://a: must be http://HOST:PORT"),
            (["--url", "http://a:70000"], "--url http://a:70000: the port must be 1 to 65535"),
            (["--rate"], "--rate needs a value"),
            (["--speed"], "unknown option --speed"),
        ]
    )
    func mistakes(arguments: [String], message: String) {
        #expect(throws: BenchUsageError(description: message)) { try BenchOptions(arguments: arguments) }
    }
}
