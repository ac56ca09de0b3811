internal import Text

/// The body of a response that is no answer: JSON, events or plain text, in whatever form.
///
/// Holds it up to its limit.
struct ErrorBody {
    private static let bytesMax = 1 << 20

    private var bytes: [UInt8] = []

    /// Takes a piece; false where it is beyond the limit.
    mutating func take(_ piece: Span<UInt8>) -> Bool {
        guard bytes.count + piece.count <= Self.bytesMax else { return false }
        bytes.append(copying: piece)
        return true
    }

    /// What it reports; an error without a name where it is no JSON.
    var error: ReportedError {
        var pieces: [ResponseReader.Piece] = []
        var reader = ResponseReader()
        try? reader.read(bytes.span) { pieces.append($0) }
        reader.finish { pieces.append($0) }
        let values = pieces.lazy.compactMap { try? JSONReader.value($0.data[...].utf8) }
        // Keep-alives carry no error.
        if let value = values.first(where: { $0 != .null && $0 != .object([]) }) {
            return ErrorReport.read(value)
        }
        var error = ReportedError()
        let text = String(decoding: bytes, as: UTF8.self)
        error.refused = RefusedParts(text)
        // A page comes from a proxy, which does not judge the content of a request.
        if !text.contains("<") { error.contentFault = ContentFault(words: text) }
        return error
    }
}
