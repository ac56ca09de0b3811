internal import Application
internal import Cryptography
internal import Domain
internal import HTTPServer
internal import Shared

/// The `limit` and the `cursor` of a list; a cursor is opaque to clients, which send it back unchanged.
struct PageParameters<Place: CursorPlace> {
    let size: PageSize
    /// Nil for the first page.
    let place: Place?

    init(_ query: HTTPQuery) throws(APIProblem) {
        var errors: [ValidationFailure.FieldError] = []
        let size = PageSize.read(query)
        if size == nil { errors.append(PageSize.mistake) }
        let cursor = query["cursor"]
        let place = cursor.flatMap { Self.place($0) }
        if cursor != nil, place == nil {
            errors.append(.init(field: "cursor", message: "must be the nextCursor of an earlier page of this list"))
        }
        guard let size, errors.isEmpty else { throw .invalid(ValidationFailure(errors)) }
        self.size = size
        self.place = place
    }

    private static func place(_ cursor: String) -> Place? {
        guard let bytes = Base64URL.decode(cursor) else { return nil }
        return Place(
            fields: String(decoding: bytes, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        )
    }
}

extension PageSize {
    /// The `limit` of a list without pages.
    init(limit query: HTTPQuery) throws(APIProblem) {
        guard let size = Self.read(query) else { throw .invalid(ValidationFailure([Self.mistake])) }
        self = size
    }

    /// Nil for a `limit` that is not allowed.
    fileprivate static func read(_ query: HTTPQuery) -> PageSize? {
        guard let limit = query["limit"] else { return .standard }
        return number(limit).flatMap { PageSize($0) }
    }

    fileprivate static var mistake: ValidationFailure.FieldError {
        let message = "must be a whole number from \(allowed.lowerBound) to \(allowed.upperBound)"
        return .init(field: "limit", message: message)
    }

    /// Decimal digits only: no sign, no space.
    private static func number(_ text: String) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }
}

/// A position in a list that a cursor can encode.
protocol CursorPlace {
    init?(fields: [Substring])
    var fields: [String] { get }
}

extension CursorPlace {
    var cursor: String { Base64URL.encode(fields.joined(separator: " ").utf8) }
}

extension ConversationPlace: CursorPlace {
    init?(fields: [Substring]) {
        guard fields.count == 2, let time = Timestamp(field: fields[0]), let id = ConversationID(fields[1]) else {
            return nil
        }
        self.init(updatedAt: time, id: id)
    }

    var fields: [String] { [String(updatedAt.milliseconds), id.description] }
}

extension MessagePlace: CursorPlace {
    init?(fields: [Substring]) {
        guard fields.count == 3, let time = Timestamp(field: fields[0]), let id = CorrelationID(fields[1]),
            let role = ConversationMessage.Role(rawValue: String(fields[2]))
        else { return nil }
        self.init(request: RequestPlace(createdAt: time, id: id), role: role)
    }

    var fields: [String] { [String(request.createdAt.milliseconds), request.id.description, role.rawValue] }
}

extension AccountID: CursorPlace {
    init?(fields: [Substring]) {
        guard fields.count == 1, let id = AccountID(fields[0]) else { return nil }
        self = id
    }

    var fields: [String] { [description] }
}

extension Timestamp {
    /// Nil for a time that no list contains.
    fileprivate init?(field: Substring) {
        guard let milliseconds = Int64(field), (0...253_402_300_799_999).contains(milliseconds) else { return nil }
        self.init(milliseconds: milliseconds)
    }
}
