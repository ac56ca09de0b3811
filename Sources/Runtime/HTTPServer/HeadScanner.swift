internal import Text

/// Checks a request head byte by byte before llhttp parses it, and refuses what llhttp accepts.
///
/// ```
///            CR        LF                      CR        LF
///  start ─────────► emptyLine ─► start    lineStart ─────────► headEnd ─► complete
///    │ token                                   │ token
///    ▼      SP          SP            CR       ▼      :           CR         LF
///  method ────► target ────► version ───► lineEnd ◄── name ───► value ───► lineEnd ───► lineStart
/// ```
/// Any other byte refuses the request: a LF without CR, CR without LF, controls, leading white space (obs-fold), white
/// space before the colon (RFC 9112, sections 2.2, 5.1 and 5.2). The result depends on the bytes alone and not on how they
/// were cut, since each limit is checked at the byte that exceeds it.
struct HeadScanner {
    private enum State {
        case start
        case emptyLine
        case method
        case target
        case version
        case lineEnd
        case lineStart
        case name
        case value
        case headEnd
    }

    /// The longest method of the registry has 17 letters.
    private static let methodBytesMax = 32

    private var state = State.start
    private var hasSkippedEmptyLine = false
    private var headBytes = 0
    private var partBytes = 0
    private var lines = 0
    private var version: UInt64 = 0

    init() {}

    /// Checks a trailer section, which is header lines and the empty line, with limits of its own.
    init(ofTrailer _: Void) { state = .lineStart }

    /// Checks `bytes` up to the end of the head; returns how many belong to the head, and whether it is complete.
    mutating func scan(
        _ bytes: Span<UInt8>,
        within options: HTTPServerOptions
    ) throws(RequestRefusal) -> (count: Int, isComplete: Bool) {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            headBytes += 1
            if headBytes > options.headBytesMax { throw state == .target ? .targetTooLong : .headTooLarge }
            switch state {
            case .value:
                if byte == .carriageReturn {
                    state = .lineEnd
                } else if !byte.isFieldContent {
                    throw .malformedHeader
                }
            case .name:
                if byte == .colon {
                    state = .value
                } else if !byte.isToken {
                    throw .malformedHeader
                }
            case .start, .emptyLine, .method, .target, .version:
                try scanRequestLine(byte, within: options)
            case .lineEnd:
                guard byte == .lineFeed else { throw .malformedHeader }
                state = .lineStart
            case .lineStart:
                if byte == .carriageReturn {
                    state = .headEnd
                } else if byte.isToken {
                    lines += 1
                    if lines > options.headersMax { throw .headTooLarge }
                    state = .name
                } else {
                    throw .malformedHeader
                }
            case .headEnd:
                guard byte == .lineFeed else { throw .malformedHeader }
                return (index, true)
            }
        }
        return (index, false)
    }

    private mutating func scanRequestLine(
        _ byte: UInt8,
        within options: HTTPServerOptions
    ) throws(RequestRefusal) {
        partBytes += 1
        if state == .start {
            partBytes = 1
            if byte == .carriageReturn, !hasSkippedEmptyLine {
                hasSkippedEmptyLine = true
                state = .emptyLine
            } else if byte.isToken {
                state = .method
            } else {
                throw .malformedRequestLine
            }
        } else if state == .emptyLine {
            guard byte == .lineFeed else { throw .malformedRequestLine }
            state = .start
        } else if state == .method {
            if byte == .space {
                (state, partBytes) = (.target, 0)
            } else if !byte.isToken || partBytes > Self.methodBytesMax {
                throw .malformedRequestLine
            }
        } else if state == .target {
            if byte == .space, partBytes > 1 {
                (state, partBytes) = (.version, 0)
            } else if !byte.isVisible {
                throw .malformedRequestLine
            } else if partBytes > options.targetBytesMax {
                throw .targetTooLong
            }
        } else {
            try scanVersion(byte)
        }
    }

    private mutating func scanVersion(_ byte: UInt8) throws(RequestRefusal) {
        guard byte == .carriageReturn else {
            guard byte.isVisible, partBytes <= 8 else { throw .malformedRequestLine }
            version = version << 8 | UInt64(byte)
            return
        }
        let major = UInt8(truncatingIfNeeded: version >> 16)
        let minor = UInt8(truncatingIfNeeded: version)
        let isHTTP = version & ~0xff_00ff == 0x4854_5450_2f00_2e00  // "HTTP/" digit "." digit
        guard partBytes == 9, isHTTP, major.isDigit, minor.isDigit else { throw .malformedRequestLine }
        guard major == UInt8(ascii: "1"), minor <= UInt8(ascii: "1") else { throw .versionNotSupported }
        state = .lineEnd
    }
}
