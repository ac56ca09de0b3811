/// The JSON of an event with numbered holes for what only Redis knows; `fill` in the function library fills them.
///
/// A hole is one control character, U+0001 for the first, which JSON never contains.
struct EventTemplate: Equatable {
    let text: String

    /// `json` contains holes.
    init(_ json: [UInt8]) { text = String(decoding: json, as: UTF8.self) }

    /// A hole for a number, as a JSON value.
    static func number(_ hole: UInt8) -> [UInt8] { [hole] }

    /// A hole for a text without characters that JSON escapes, as a JSON value.
    static func string(_ hole: UInt8) -> [UInt8] { [UInt8(ascii: "\""), hole, UInt8(ascii: "\"")] }

    /// The same as `fill` makes.
    func filled(_ values: String...) -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(text.utf8.count + values.reduce(0) { $0 + $1.utf8.count })
        for byte in text.utf8 {
            if byte > 0, byte < 10 {
                json.append(contentsOf: values[Int(byte) - 1].utf8)
            } else {
                json.append(byte)
            }
        }
        return json
    }
}
