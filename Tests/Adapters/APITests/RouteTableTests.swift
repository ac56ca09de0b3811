import HTTPServer
import TestSupport
import Testing

@testable import API

@Suite("The route table", .tags(.unit))
struct RouteTableTests {
    private func route(_ method: HTTPMethod, _ pattern: String) -> Route {
        Route(method, pattern, access: .open, limit: .free, body: .json) { _, _ in }
    }

    @Test(
        "a pattern matches its own paths alone",
        arguments: [
            ("/", "/", ""), ("/", "", nil), ("/", "/x", nil), ("/a/b", "/a/b", ""), ("/a/b", "/a/b/", nil),
            ("/a/b", "/a", nil), ("/a/b", "/a/B", nil), ("/a/{id}", "/a/1", "1"), ("/a/{id}", "/a/", nil),
            ("/a/{id}", "/a", nil), ("/a/{id}", "/a/1/2", nil), ("/a/{id}", "/a/é", "é"), ("/a/{id}", "/b/1", nil),
            ("/a/{id}/c", "/a/1/c", "1"), ("/a/{id}/c", "/a//c", nil), ("/a/{id}/c", "/a/c", nil),
            ("/a/{id}/c", "/a/1/2/c", nil), ("/a/{id}/c", "/a/1/d", nil), ("/a/{id}/c", "/a/c/c", "c"),
            ("/f/{file...}", "/f/a", "a"), ("/f/{file...}", "/f/a/b.js", "a/b.js"), ("/f/{file...}", "/f/", nil),
            ("/f/{file...}", "/f", nil), ("/f/{file...}", "/f//a", "/a"), ("/f/{file...}", "*", nil),
        ] as [(String, String, String?)]
    )
    func patterns(pattern: String, path: String, parameter: String?) {
        #expect(PathPattern(pattern).match(path).map { String($0) } == parameter)
    }

    @Test("the method chooses among the routes of a path; GET answers HEAD, too")
    func methods() throws {
        let table = RouteTable(
            unknownPath: "none",
            [route(.get, "/a/{id}"), route(.delete, "/a/{id}"), route(.post, "/b")],
        )
        for (method, expected) in [(HTTPMethod.get, HTTPMethod.get), (.head, .get), (.delete, .delete)] {
            guard case .found(let route, let parameter) = table.match(method, "/a/1") else {
                Issue.record("\(method)")
                continue
            }
            #expect(route.method == expected && route.label == "/a/{id}" && parameter == "1")
        }
        for (method, path, allowed) in [
            (HTTPMethod.post, "/a/1", [HTTPMethod.get, .delete, .head]), (.get, "/b", [.post]), (.head, "/b", [.post]),
        ] {
            guard case .otherMethods(let methods) = table.match(method, path) else {
                Issue.record("\(method) \(path)")
                continue
            }
            #expect(methods == allowed)
        }
        guard case .none = table.match(.get, "/c") else {
            Issue.record("an unknown path is found")
            return
        }
        guard case .found(_, nil) = table.match(.post, "/b") else {
            Issue.record("a path without a placeholder has a parameter")
            return
        }
    }
}
