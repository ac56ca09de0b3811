extension [UInt8] {
    /// Copies the bytes of a span.
    package init(copying bytes: Span<UInt8>) {
        self = []
        append(copying: bytes)
    }

    /// Appends a copy of a span's bytes.
    package mutating func append(copying bytes: Span<UInt8>) {
        // Safety: the buffer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends the UTF-8 of a literal.
    package mutating func append(_ text: StaticString) {
        // Safety: the buffer does not leave the closure.
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }
}

extension String {
    /// Decodes UTF-8 and replaces each invalid sequence by U+FFFD.
    package init(repairing bytes: Span<UInt8>) {
        // Safety: the buffer does not leave the closure.
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension Span<UInt8> {
    /// The first position of `byte`; nil where the span does not contain it.
    package func firstIndex(of byte: UInt8) -> Int? {
        var index = 0
        while index < count, self[index] != byte { index += 1 }
        return index < count ? index : nil
    }

    /// Whether the span holds exactly these bytes.
    package func elementsEqual(_ other: some Collection<UInt8>) -> Bool {
        guard other.count == count else { return false }
        for (index, byte) in other.enumerated() where self[index] != byte { return false }
        return true
    }
}
