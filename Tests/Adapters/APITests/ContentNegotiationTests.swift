import TestSupport
import Testing

@testable import API

@Suite("What headers ask for", .tags(.unit))
struct ContentNegotiationTests {
    @Test(
        "a stream is given where it is preferred by quality, by an exacter name or by being named first",
        arguments: [
            ("text/event-stream", true), ("text/event-stream, application/json", true),
            ("application/json, text/event-stream", false), ("application/json,text/event-stream;q=1.0", false),
            ("application/json;q=0.9, text/event-stream", true),
            ("text/event-stream;q=0.1, application/json;q=0.2", false),
            ("text/event-stream;q=0.1, */*", false), ("*/*;q=0.1, text/event-stream;q=0.2", true), ("text/*", true),
            ("text/*;q=0.5, application/json;q=0.1", true), ("*/*", false), ("*/*, text/event-stream", true),
            ("", false),
            ("text/*, application/json", false), ("text/event-stream;q=0, */*;q=0.5", false), ("text/html", false),
            (" TEXT/Event-Stream ; charset=utf-8 ;Q=1 ,\tapplication/json ; q = 0.5", true),
            (#"application/json;profile="a, text/event-stream;q=1";q="0.3", text/event-stream;q=0.2"#, false),
            ("text/event-stream;q=7, application/json", true), ("application/json;q=nan, text/event-stream", false),
            ("text/event-stream;q=-1", false),
        ]
    )
    func accept(header: String, isStream: Bool) {
        #expect(AcceptedTypes(header).prefers("text/event-stream", to: "application/json") == isStream)
    }

    @Test("a type is accepted by its most exact range")
    func accepts() {
        #expect(AcceptedTypes(nil).accepts("application/json"))
        #expect(AcceptedTypes("text/*").accepts("text/event-stream"))
        #expect(!AcceptedTypes("text/*").accepts("application/json"))
        #expect(!AcceptedTypes("*/*, application/json;q=0").accepts("application/json"))
    }

    @Test(
        "Prefer: wait is read in every form that RFC 7240 allows",
        arguments: [
            ("wait=5", 5), (#"wait="5""#, 5), ("WAIT = 5", 5), ("respond-async, wait=7", 7),
            ("respond-async;wait=7", 7),
            (#"foo="a, wait=9", wait=3;x"#, 3), ("wait=61", 60), ("wait=99999999999999999999999", 60),
            ("wait=5, wait=9", 5),
            ("wait=0", nil), ("wait=-1", nil), ("wait=+5", nil), ("wait=1.5", nil), ("wait", nil), ("wait=", nil),
            ("", nil), ("waiting=5", nil), (#"wait="x""#, nil),
        ] as [(String, Int?)]
    )
    func prefer(header: String, seconds: Int?) {
        #expect(preferredWait(header) == seconds.map { .seconds($0) })
    }

    @Test("members of a list keep their quoted parts whole")
    func elements() {
        let elements = HeaderElement.list(#"a="x\",;y" ; B=C; d , , e"#)
        #expect(elements.map(\.name) == ["a", "e"])
        #expect(elements.first?.value == #"x",;y"#)
        #expect(elements.first?[parameter: "b"] == "C")
        #expect(elements.first?.parameters.map(\.name) == ["b", "d"])
        #expect(HeaderElement.list(nil).isEmpty)
    }

    @Test(
        "access tokens and API keys are distinguished from other credentials",
        arguments: [
            ("Bearer lm_abc", .apiKey("lm_abc")), ("bearer  lm_", .apiKey("lm_")),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", .accessToken("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")),
            ("Bearer eyJhbGciOiJub25lIn0.e30.", .accessToken("eyJhbGciOiJub25lIn0.e30.")),
            ("Bearer eyJhIjoxLCJhIjoyfQ.e30.c2ln", .accessToken("eyJhIjoxLCJhIjoyfQ.e30.c2ln")),
            ("Bearer x", .otherToken), ("Bearer x.y.z", .otherToken), ("Bearer W10.e30.c2ln", .otherToken),
            ("Bearer ", .otherScheme),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30", .otherToken), ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln.x", .otherToken),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2l%", .otherToken), ("Bearer sk-1234", .otherToken),
            ("Bearer", .otherScheme),
            ("Basic bG1fOng=", .otherScheme), ("lm_abc", .otherScheme), ("", .otherScheme), (nil, nil),
        ] as [(String?, Credential?)]
    )
    func credentials(header: String?, credential: Credential?) {
        #expect(Credential(header) == credential)
    }
}
