internal import ServerSentEvents

/// Splits the body of a response into the provider's pieces, regardless of its media type.
///
/// ```
///  white space, byte-order mark ─► first byte ──┬─ { or [ ─► DocumentSplitter ─► each object
///                                               └─ else ───► ServerSentEventDecoder ─► each event
/// ```
/// Holds at most one piece.
struct ResponseReader {
    /// One event, and one line of it; one object.
    private static let pieceBytesMax = 1 << 20

    /// One event or object.
    struct Piece {
        let data: String
        /// True for an event of that type, or a field of that name.
        let isError: Bool
    }

    /// Why a body cannot be read on.
    struct Unreadable: Error {
        let reason: String
    }

    private enum Form {
        case unknown
        case events
        case documents
    }

    private var form = Form.unknown
    private var events = ServerSentEventDecoder(
        limits: ServerSentEventLimits(lineBytesMax: pieceBytesMax, dataBytesMax: pieceBytesMax),
        isLenient: true,
    )
    private var documents = DocumentSplitter(bytesMax: pieceBytesMax)

    /// True for JSON that is no event stream.
    var isDocument: Bool { form == .documents }
    /// True where the body was one object and nothing else.
    var isSingleDocument: Bool { isDocument && !documents.isList && documents.count == 1 && documents.isComplete }
    /// False within JSON that is not complete.
    var isComplete: Bool { !isDocument || documents.isComplete }

    mutating func read(_ bytes: Span<UInt8>, _ onPiece: (Piece) -> Void) throws(Unreadable) {
        var start = 0
        if form == .unknown {
            while start < bytes.count, Self.isSkipped(bytes[start]) { start += 1 }
            guard start < bytes.count else { return }
            let first = bytes[start]
            form = first == UInt8(ascii: "{") || first == UInt8(ascii: "[") ? .documents : .events
        }
        let rest = bytes.extracting(start...)
        do {
            if form == .documents {
                try documents.split(rest) { onPiece(Piece(data: $0, isError: false)) }
            } else {
                try events.decode(rest) { onPiece(Piece(data: $0.data, isError: $0.isError)) }
            }
        } catch let error as ServerSentEventError {
            throw Unreadable(reason: error.description)
        } catch {
            throw Unreadable(reason: "a document is too large")
        }
    }

    /// White space, and the bytes of the byte-order mark.
    private static func isSkipped(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == 0xEF || byte == 0xBB || byte == 0xBF
    }

    /// Hands out a last event whose empty line is missing; to be called when the response has ended in good order.
    mutating func finish(_ onPiece: (Piece) -> Void) {
        guard form == .events else { return }
        events.finish { onPiece(Piece(data: $0.data, isError: $0.isError)) }
    }
}

extension ServerSentEvent {
    fileprivate var isError: Bool { type != "message" && ErrorSigns.isErrorWord(type) }
}
