internal import HTTPServer

/// Finds what answers a path: literal segments, and at most one placeholder in a pattern.
struct Router<Handler> {
    enum Match {
        case found(Handler, route: String, parameter: Substring?)
        /// The path exists; carries the methods it has, for `Allow`.
        case otherMethods([HTTPMethod])
        case none
    }

    private struct Route {
        let pattern: String
        let segments: [Substring]
        var handlers: [(HTTPMethod, Handler)]
    }

    private var routes: [Route] = []

    /// Every method and pattern that has a handler.
    var patterns: [(method: HTTPMethod, pattern: String)] {
        routes.flatMap { route in route.handlers.map { ($0.0, route.pattern) } }
    }

    /// Adds a handler; `{…}` in the pattern matches one segment.
    ///
    /// GET answers HEAD too.
    mutating func add(_ method: HTTPMethod, _ pattern: String, _ handler: Handler) {
        if let index = routes.firstIndex(where: { $0.pattern == pattern }) {
            routes[index].handlers.append((method, handler))
        } else {
            let segments = pattern.split(separator: "/", omittingEmptySubsequences: false)
            routes.append(Route(pattern: pattern, segments: segments, handlers: [(method, handler)]))
        }
    }

    func match(_ method: HTTPMethod, _ path: String) -> Match {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        for route in routes {
            guard let parameter = parameter(of: route, in: segments) else { continue }
            let wanted: HTTPMethod = method == .head ? .get : method
            if let handler = route.handlers.first(where: { $0.0 == wanted })?.1 {
                return .found(handler, route: route.pattern, parameter: parameter.isEmpty ? nil : parameter)
            }
            return .otherMethods(methods(of: route))
        }
        return .none
    }

    private func methods(of route: Route) -> [HTTPMethod] {
        let methods = route.handlers.map(\.0)
        return methods.contains(.get) ? methods + [.head] : methods
    }

    /// What the placeholder matched, empty where the pattern has none; nil where the path is another.
    private func parameter(of route: Route, in segments: [Substring]) -> Substring? {
        guard route.segments.count == segments.count else { return nil }
        var parameter: Substring = ""
        for (pattern, segment) in zip(route.segments, segments) {
            if pattern.hasPrefix("{") {
                guard !segment.isEmpty else { return nil }
                parameter = segment
            } else if pattern != segment {
                return nil
            }
        }
        return parameter
    }
}
