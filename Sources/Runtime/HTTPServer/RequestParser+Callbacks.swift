internal import CLLHTTP
internal import Text

/// What llhttp reports, in the order of the bytes. Each returns 0, or how llhttp stops.
extension RequestParser {
    /// Chunk extensions of one request; they are ignored, so their limit is low.
    private static let extensionBytesMax = 1024

    /// The position of bytes at `address` in the head.
    func range(_ address: Int, _ length: Int) -> Range<Int> {
        let start = address - inputAddress
        return start..<(start + length)
    }

    /// A target may be reported in several parts.
    func didReadTarget(_ part: Range<Int>) -> Int32 {
        targetRange = (targetRange.isEmpty ? part.lowerBound : targetRange.lowerBound)..<part.upperBound
        return 0
    }

    func didReadName(_ name: Range<Int>) -> Int32 {
        fields.append(HTTPHeaders.Field(nameStart: UInt32(name.lowerBound), nameEnd: UInt32(name.upperBound)))
        return 0
    }

    /// A value may be reported in several parts.
    func didReadValue(_ part: Range<Int>) -> Int32 {
        guard let last = fields.indices.last else { return 0 }
        let start = fields[last].valueEnd > 0 ? Int(fields[last].valueStart) : part.lowerBound
        var end = part.upperBound
        while end > start, head[end - 1] == .space || head[end - 1] == .tab { end -= 1 }
        fields[last].valueStart = UInt32(start)
        fields[last].valueEnd = UInt32(end)
        return 0
    }

    func didReadHeaders() -> Int32 {
        flags = llhttp.flags
        return 0
    }

    func didReadChunkHeader() -> Int32 {
        guard llhttp.contentLength > 0 else {
            stage = .trailer
            return Int32(HPE_PAUSED.rawValue)
        }
        return llhttp.contentLength > UInt64(bodyBytesMax - body.count) ? stop(.bodyTooLarge) : 0
    }

    func didReadExtension(_ length: Int) -> Int32 {
        extensionBytes += length
        return extensionBytes > Self.extensionBytesMax ? stop(.malformedBody) : 0
    }

    func didReadBody(_ bytes: Span<UInt8>) -> Int32 {
        body.append(copying: bytes)
        return 0
    }

    func didReadMessage() -> Int32 {
        stage = .done
        return Int32(HPE_PAUSED.rawValue)
    }

    private func stop(_ refusal: RequestRefusal) -> Int32 {
        self.refusal = refusal
        return -1
    }
}
