/// The fields of a head that must not come twice.
struct SingleFields {
    private(set) var hasHost = false
    private(set) var transferEncoding: String?
    private(set) var expect: String?
    private var hasAuthorization = false
    private var hasContentType = false

    mutating func note(_ field: HTTPHeaders.Field, of headers: HTTPHeaders) throws(RequestRefusal) {
        switch field.nameEnd - field.nameStart {
        case 4 where headers.hasName("host", field):
            let value = headers.bytes[Int(field.valueStart)..<Int(field.valueEnd)]
            guard !hasHost, value.allSatisfy(\.isHostAndPort) else { throw .malformedHost }
            hasHost = true
        case 6 where headers.hasName("expect", field):
            guard expect == nil else { throw .expectationUnknown }
            expect = headers.value(of: field)
        case 12 where headers.hasName("content-type", field):
            guard !hasContentType else { throw .malformedHeader }
            hasContentType = true
        case 13 where headers.hasName("authorization", field):
            guard !hasAuthorization else { throw .malformedHeader }
            hasAuthorization = true
        case 17 where headers.hasName("transfer-encoding", field):
            guard transferEncoding == nil else { throw .malformedFraming }
            transferEncoding = headers.value(of: field)
        case _: break
        }
    }
}
