internal import FoundationEssentials

extension SpanExporter {
    /// The response of a collector that accepted a request only in part: an `ExportTraceServiceResponse`.
    private struct Response: Decodable {
        struct PartialSuccess: Decodable {
            let rejectedSpans: RejectedSpans?
        }

        /// A 64-bit number, which the JSON mapping writes as a string and accepts as a number too.
        struct RejectedSpans: Decodable {
            let count: Int

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let text = try? container.decode(String.self) {
                    count = Int(text) ?? 0
                } else {
                    count = try container.decode(Int.self)
                }
            }
        }

        let partialSuccess: PartialSuccess?
    }

    /// Number of spans that the collector rejected although it accepted the request; 0 for a body that cannot be parsed.
    static func rejectedSpans(_ body: [UInt8]) -> Int {
        let response = try? JSONDecoder().decode(Response.self, from: Data(body))
        return max(0, response?.partialSuccess?.rejectedSpans?.count ?? 0)
    }
}
