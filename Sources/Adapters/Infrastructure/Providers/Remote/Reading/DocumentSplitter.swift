/// Splits JSON that comes in place of an event stream into its objects as they are complete: one document, an array of
/// them, or one after the other.
///
/// Only finds where an object ends; what is between them is not looked at. Holds at most one object.
struct DocumentSplitter {
    /// An object is longer than the limit.
    struct TooLarge: Error {}

    private let bytesMax: Int
    private var object: [UInt8] = []
    private var depth = 0
    private var openLists = 0
    private var isInString = false
    private var isEscaped = false
    /// How many objects there were, and whether a list was around them.
    private(set) var count = 0
    private(set) var isList = false

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// False while an object or the list around them is open.
    var isComplete: Bool { depth == 0 && openLists == 0 }

    /// Takes the next bytes and hands out each object that they complete.
    mutating func split(_ bytes: Span<UInt8>, _ onObject: (String) -> Void) throws(TooLarge) {
        for index in bytes.indices {
            let byte = bytes[index]
            if depth > 0 {
                guard object.count < bytesMax else { throw TooLarge() }
                object.append(byte)
            }
            if isInString { passString(byte) } else { passStructure(byte, onObject) }
        }
    }

    private mutating func passString(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
        }
    }

    private mutating func passStructure(_ byte: UInt8, _ onObject: (String) -> Void) {
        switch byte {
        case UInt8(ascii: "\"") where depth > 0: isInString = true
        case UInt8(ascii: "{"):
            if depth == 0 { object = [byte] }
            depth += 1
        case UInt8(ascii: "["):
            if depth == 0 { (openLists, isList) = (openLists + 1, true) } else { depth += 1 }
        case UInt8(ascii: "]") where depth == 0: openLists = max(0, openLists - 1)
        case UInt8(ascii: "}") where depth > 0, UInt8(ascii: "]") where depth > 0:
            depth -= 1
            guard depth == 0 else { return }
            count += 1
            onObject(String(decoding: object, as: UTF8.self))
            object.removeAll(keepingCapacity: true)
        case _: break
        }
    }
}
