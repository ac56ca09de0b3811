import Shared
import Testing

@Suite("The table of problems")
struct ProblemKindTests {
    @Test("each kind has a type of its own that is a stable URI reference")
    func types() {
        let types = ProblemKind.allCases.map(\.type)
        #expect(Set(types).count == types.count)
        for type in types {
            #expect(type.hasPrefix("/problems/"))
            let slug = type.dropFirst("/problems/".count)
            #expect(!slug.isEmpty && slug.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D }, "\(type)")
        }
    }

    @Test("each kind has an error status and a title that ends without a full stop", arguments: ProblemKind.allCases)
    func row(kind: ProblemKind) {
        #expect((400...599).contains(kind.status))
        #expect(!kind.title.isEmpty && !kind.title.hasSuffix("."))
        // What the client did wrong does not get better by itself, except for time, rate and what others of its problems wait for.
        let passing: [ProblemKind] = [.requestTimeout, .tooManyRequests, .tooManyActive, .conversationBusy]
        if (400..<500).contains(kind.status) { #expect(kind.isRetryable == passing.contains(kind)) }
    }

    @Test("each kind has a title of its own")
    func titles() {
        let titles = ProblemKind.allCases.map(\.title)
        #expect(Set(titles).count == titles.count)
    }

    @Test(
        "a status that the HTTP layer decides leads to a kind of that status",
        arguments: [400, 404, 405, 408, 413, 414, 417, 431, 500, 501, 503, 505],
    )
    func fromStatus(status: Int) {
        #expect(ProblemKind(status: status).status == status)
    }
}
