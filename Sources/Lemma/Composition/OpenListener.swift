import EventLoop
import HTTPServer

extension HTTPListener {
    /// Starts a listener whose address is in two settings; a ``StartFailure`` names both settings and the address.
    static func start(
        host: Named<String>,
        port: Named<Int>,
        on loops: [Loop],
        options: HTTPServerOptions,
        metrics: (any HTTPServerMetrics)? = nil,
        makeHandler: @escaping @Sendable (Loop) -> any HTTPHandler
    ) async throws -> HTTPListener {
        do {
            return try await start(
                host: host.value,
                port: port.value,
                on: loops,
                options: options,
                metrics: metrics,
                makeHandler: makeHandler,
            )
        } catch let error as NetworkError {
            let cause = error == .addressInUse ? "another process listens there" : "\(error)"
            let address = "\(Endpoint.tcp(host: host.value, port: port.value))"
            throw StartFailure("\(address) (\(host.name), \(port.name)) cannot be listened on: \(cause)")
        }
    }

    /// A setting's name and value.
    struct Named<Value: Sendable>: Sendable {
        let name: String
        let value: Value

        init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }
}
