internal import HTTPServer

/// The routes of one listener, and the search for the one that a request is for.
struct RouteTable {
    enum Match {
        case found(Route, parameter: Substring?)
        /// The path exists; carries the methods it has, for `Allow`.
        case otherMethods([HTTPMethod])
        case none
    }

    /// The routes of one path, by their methods.
    private struct Path {
        let pattern: PathPattern
        var routes: [Route]
    }

    let routes: [Route]
    /// The detail of the 404 for a path that no route has.
    let unknownPath: String
    private var paths: [Path] = []

    /// Two routes with the same method and path are a programmer's mistake.
    init(unknownPath: String, _ routes: [Route]) {
        self.unknownPath = unknownPath
        self.routes = routes
        for route in routes {
            for pattern in route.patterns { add(route, at: pattern) }
        }
    }

    private mutating func add(_ route: Route, at pattern: PathPattern) {
        guard let index = paths.firstIndex(where: { $0.pattern.text == pattern.text }) else {
            return paths.append(Path(pattern: pattern, routes: [route]))
        }
        let isNew = paths[index].routes.allSatisfy { $0.method != route.method }
        precondition(isNew, "\(route.method.name) \(pattern.text) has two routes")
        paths[index].routes.append(route)
    }

    /// A GET route answers HEAD, too.
    func match(_ method: HTTPMethod, _ path: String) -> Match {
        for candidate in paths {
            guard let parameter = candidate.pattern.match(path) else { continue }
            let wanted: HTTPMethod = method == .head ? .get : method
            guard let route = candidate.routes.first(where: { $0.method == wanted }) else {
                return .otherMethods(methods(of: candidate))
            }
            return .found(route, parameter: parameter.isEmpty ? nil : parameter)
        }
        return .none
    }

    private func methods(of path: Path) -> [HTTPMethod] {
        let methods = path.routes.map(\.method)
        return methods.contains(.get) ? methods + [.head] : methods
    }
}
