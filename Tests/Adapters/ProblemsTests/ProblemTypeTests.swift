import Problems
import Shared
import TestSupport
import Testing

@Suite("The table of problem types", .tags(.unit))
struct ProblemTypeTests {
    @Test("each kind has a type of its own that is a stable URI reference")
    func types() {
        let types = ProblemKind.allCases.map(\.problemType.uri)
        #expect(Set(types).count == types.count)
        for type in types {
            #expect(type.hasPrefix("/problems/"))
            let slug = type.dropFirst("/problems/".count)
            #expect(!slug.isEmpty && slug.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D }, "\(type)")
        }
    }

    @Test("each kind has an error status and a title that ends without a full stop", arguments: ProblemKind.allCases)
    func row(kind: ProblemKind) {
        let row = kind.problemType
        #expect(row.uri == "/problems/\(kind.rawValue)")
        #expect((400...599).contains(row.status))
        #expect(!row.title.isEmpty && !row.title.hasSuffix("."))
        // A client's mistake stays one; only time, rate and the state of its other problems change by themselves.
        let passing: [ProblemKind] = [
            .requestTimeout, .rateLimited, .budgetExhausted, .tooManyActive, .conversationBusy,
        ]
        if (400..<500).contains(row.status) { #expect(row.isRetryable == passing.contains(kind)) }
    }

    @Test("each kind has a title of its own")
    func titles() {
        let titles = ProblemKind.allCases.map(\.problemType.title)
        #expect(Set(titles).count == titles.count)
    }

    @Test(
        "a status that the HTTP server chooses leads to a kind of that status",
        arguments: [400, 404, 405, 408, 413, 414, 417, 431, 500, 501, 503, 505],
    )
    func fromStatus(status: Int) {
        #expect(ProblemKind(serverStatus: status).problemType.status == status)
    }

    @Test("an attempt that failed because the earlier turns could not be read is retryable")
    func storeUnavailable() {
        #expect(ProblemKind.storeUnavailable.problemType.isRetryable)
    }

    @Test("a problem document begins with type, title, status and detail")
    func document() {
        let json = JSONWriter.object { $0.problem(.gone, detail: "It is \"gone\".") }
        let expected =
            #"{"type":"/problems/gone","title":"The answer's stream has expired","status":410,"#
            + #""detail":"It is \"gone\"."}"#
        #expect(String(decoding: json, as: UTF8.self) == expected)
    }
}
