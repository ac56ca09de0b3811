internal import Text
internal import Time

/// Builds a log line as a JSON object (RFC 8259).
enum JSONLine {
    /// Maximum length of a string value in bytes before escaping; a longer value is truncated.
    static let valueBytesMax = 1024
    private static let truncated = ",\"truncated\":true"

    static func append(
        to line: inout [UInt8],
        _ time: CalendarTime,
        _ level: LogLevel,
        _ message: StaticString,
        _ service: String,
        _ version: String,
        _ fields: LogFields
    ) {
        line.append(contentsOf: "{\"time\":\"".utf8)
        time.appendRFC3339(to: &line)
        line.append(contentsOf: "\",\"level\":\"".utf8)
        line.append(contentsOf: level.rawValue.utf8)
        line.append(contentsOf: "\",\"message\":".utf8)
        _ = appendString(message.description, to: &line)
        line.append(contentsOf: ",\"service\":".utf8)
        _ = appendString(service, to: &line)
        line.append(contentsOf: ",\"version\":".utf8)
        _ = appendString(version, to: &line)
        var isWhole = true
        for (key, value) in fields.entries {
            let start = line.count
            line.append(UInt8(ascii: ","))
            isWhole = appendString(key, to: &line) && isWhole
            line.append(UInt8(ascii: ":"))
            isWhole = append(value, to: &line) && isWhole
            if line.count + truncated.utf8.count + 2 > LogOutput.lineBytesMax {
                line.removeSubrange(start...)
                isWhole = false
            }
        }
        if !isWhole { line.append(contentsOf: truncated.utf8) }
        line.append(contentsOf: "}\n".utf8)
    }

    /// False if the value was truncated.
    private static func append(_ value: LogValue, to line: inout [UInt8]) -> Bool {
        switch value {
        case .string(let text): return appendString(text, to: &line)
        case .int(let number): line.append(contentsOf: String(number).utf8)
        case .bool(let flag): line.append(contentsOf: (flag ? "true" : "false").utf8)
        case .double(let number):
            // JSON has neither infinities nor NaN.
            guard number.isFinite else { return appendString("\(number)", to: &line) }
            line.append(contentsOf: "\(number)".utf8)
        }
        return true
    }

    private static func appendString(_ text: String, to line: inout [UInt8]) -> Bool {
        JSONText.append(text, to: &line, bytesMax: valueBytesMax)
    }
}

/// Builds a log line for a terminal.
enum TextLine {
    static func append(
        to line: inout [UInt8],
        _ time: CalendarTime,
        _ level: LogLevel,
        _ message: StaticString,
        _ fields: LogFields
    ) {
        time.appendTimeOfDay(to: &line)
        line.append(UInt8(ascii: " "))
        line.append(contentsOf: level.rawValue.uppercased().utf8)
        line.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 8 - level.rawValue.utf8.count))
        line.append(contentsOf: message.description.utf8)
        for (key, value) in fields.entries {
            let text = " \(key)=\(shown(value))"
            if line.count + text.utf8.count + 5 > LogOutput.lineBytesMax {
                line.append(contentsOf: " …".utf8)
                break
            }
            line.append(contentsOf: text.utf8)
        }
        line.append(UInt8(ascii: "\n"))
    }

    private static func shown(_ value: LogValue) -> String {
        switch value {
        case .int(let number): return "\(number)"
        case .double(let number): return "\(number)"
        case .bool(let flag): return "\(flag)"
        case .string(let text):
            let isPlain = text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && !isUnseen($0) }
            return isPlain && !text.isEmpty ? text : "\"\(escaped(text))\""
        }
    }

    /// Escapes control characters: with them, a value could move the terminal's cursor or imitate another line.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if isUnseen(scalar) || scalar == "\"" || scalar == "\\" {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// True for control characters, and for characters that change the writing direction or begin a line.
    private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x7F else { return scalar.value < 0x20 }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
