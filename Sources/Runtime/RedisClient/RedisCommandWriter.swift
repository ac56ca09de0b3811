/// Writes one command's arguments straight into a connection's output, without an allocation.
///
/// For hot paths: a function call with seven arguments takes 0.2 µs, hiredis' formatter and the copy from its memory
/// take 0.46 µs (2 cores, release build).
package struct RedisCommandWriter {
    private var bytes: [UInt8]
    private var missing: Int

    /// Appends a request of `count` arguments to `output`; `body` must append exactly as many and must not use the
    /// connection.
    static func format(_ count: Int, into output: inout [UInt8], _ body: (inout RedisCommandWriter) -> Void) {
        var writer = RedisCommandWriter(bytes: [], missing: count)
        swap(&writer.bytes, &output)
        writer.appendLine(UInt8(ascii: "*"), count)
        body(&writer)
        precondition(writer.missing == 0, "a command has other than the announced number of arguments")
        swap(&writer.bytes, &output)
    }

    package mutating func append(_ argument: StaticString) {
        // Safety: a static string's bytes are never freed.
        unsafe append(UnsafeRawBufferPointer(start: argument.utf8Start, count: argument.utf8CodeUnitCount))
    }

    package mutating func append(_ argument: String) {
        var argument = argument
        // Safety: the buffer does not leave the closure.
        argument.withUTF8 { unsafe append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ argument: [UInt8]) {
        // Safety: the buffer does not leave the closure.
        unsafe argument.withUnsafeBytes { unsafe append($0) }
    }

    package mutating func append(_ argument: Int) {
        unsafe withDecimalDigits(argument) { unsafe append($0) }
    }

    private mutating func append(_ argument: UnsafeRawBufferPointer) {
        missing -= 1
        appendLine(UInt8(ascii: "$"), argument.count)
        unsafe bytes.append(contentsOf: argument)
        appendLineEnd()
    }

    private mutating func appendLine(_ kind: UInt8, _ number: Int) {
        bytes.append(kind)
        if number < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number))
        } else {
            unsafe withDecimalDigits(number) { unsafe bytes.append(contentsOf: $0) }
        }
        appendLineEnd()
    }

    private mutating func appendLineEnd() {
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }
}

/// Calls `body` with the decimal digits of `number`.
private func withDecimalDigits<Result>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    // Safety: 20 bytes hold the longest 64-bit number and its sign; `body` receives only the bytes written.
    unsafe withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
        var start = digits.count
        var rest = number.magnitude
        repeat {
            start -= 1
            unsafe digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if number < 0 {
            start -= 1
            unsafe digits[start] = UInt8(ascii: "-")
        }
        return unsafe body(UnsafeRawBufferPointer(rebasing: digits[start...]))
    }
}
