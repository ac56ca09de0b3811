internal import Text

/// Writes JSON (RFC 8259) directly into bytes, members in the given order and without white space.
///
/// The writer of responses and events. Foundation parses JSON, except the responses of providers.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// Returns one object.
    package static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        begin(name)
        string(value)
    }

    /// A member that is always present, `null` without a value.
    package mutating func nullable(_ name: StaticString, _ value: String?) {
        if let value { member(name, value) } else { member(name, json: Array("null".utf8)) }
    }

    /// A member that is always present, `null` without a value.
    package mutating func nullable(_ name: StaticString, _ value: Int?) {
        if let value { member(name, value) } else { member(name, json: Array("null".utf8)) }
    }

    /// A member whose name is data, such as a provider's.
    package mutating func member(dynamic name: String, _ value: String) {
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
        string(value)
        needsComma = true
    }

    package mutating func member(_ name: StaticString, _ value: Int?) {
        guard let value else { return }
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    package mutating func member(_ name: StaticString, _ value: Bool?) {
        guard let value else { return }
        begin(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    package mutating func member(_ name: StaticString, _ value: Double?) {
        guard let value, value.isFinite else { return }
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    /// A member whose value is encoded already.
    package mutating func member(_ name: StaticString, json value: [UInt8]?) {
        guard let value else { return }
        begin(name)
        bytes.append(contentsOf: value)
    }

    package mutating func member(_ name: StaticString, object members: (inout JSONWriter) -> Void) {
        begin(name)
        object(members)
    }

    package mutating func member<Element>(
        _ name: StaticString,
        array elements: some Sequence<Element>,
        _ write: (inout JSONWriter, Element) -> Void
    ) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        for element in elements {
            separate()
            write(&self, element)
            needsComma = true
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    // MARK: Values

    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        members(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    package mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        JSONText.escape(value, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func begin(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(name)
        bytes.append(contentsOf: "\":".utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }
}
