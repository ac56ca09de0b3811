import FoundationEssentials

/// An `ExportTraceServiceRequest` in OTLP's JSON mapping, as far as Lemma makes use of it.
struct ExportedSpans: Decodable {
    struct ResourceSpans: Decodable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    struct Resource: Decodable {
        let attributes: [Attribute]
    }

    struct ScopeSpans: Decodable {
        struct Scope: Decodable { let name: String }

        let scope: Scope
        let spans: [ExportedSpan]
    }

    struct Attribute: Decodable, Hashable {
        struct Value: Decodable, Hashable {
            struct List: Decodable, Hashable { let values: [Value] }

            var stringValue: String?
            /// 64-bit numbers are strings.
            var intValue: String?
            var doubleValue: Number?
            var boolValue: Bool?
            var arrayValue: List?
        }

        let key: String
        let value: Value
    }

    /// A JSON number, or the name of a value that JSON lacks (`NaN`, `Infinity`).
    enum Number: Decodable, Hashable {
        case finite(Double)
        case word(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                self = .finite(number)
            } else {
                self = .word(try container.decode(String.self))
            }
        }
    }

    struct Link: Decodable, Hashable {
        let traceId: String
        let spanId: String
        var traceState: String?
        var flags: Int
    }

    struct Status: Decodable {
        let code: Int
        var message: String?
    }

    let resourceSpans: [ResourceSpans]

    init(_ body: some Sequence<UInt8>) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(body))
    }

    var spans: [ExportedSpan] { resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans) }
}

struct ExportedSpan: Decodable {
    let traceId: String
    let spanId: String
    let parentSpanId: String?
    let traceState: String?
    let flags: Int
    let name: String
    let kind: Int
    let startTimeUnixNano: String
    let endTimeUnixNano: String
    let attributes: [ExportedSpans.Attribute]
    let links: [ExportedSpans.Link]?
    let status: ExportedSpans.Status?
}
