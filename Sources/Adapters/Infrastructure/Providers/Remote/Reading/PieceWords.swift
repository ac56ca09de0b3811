extension ArraySlice<UInt8> {
    /// True for what can only be the beginning of a value, or one that was damaged: neither a word nor a word in brackets,
    /// such as `[PING]`.
    var isTorn: Bool {
        if first == UInt8(ascii: "{") { return true }
        guard first == UInt8(ascii: "["), !isTornDone else { return false }
        let isWord = dropFirst().dropLast().allSatisfy { byte in
            byte <= 0x20 || (0x41...0x5A).contains(byte & 0xDF) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-")
        }
        return !isWord || last != UInt8(ascii: "]")
    }

    /// A beginning of `[DONE]`.
    private var isTornDone: Bool { "[DONE]".utf8.starts(with: self) }

    /// `[DONE]`, in whatever case, with or without quotation marks around it.
    var isDone: Bool {
        guard count < 32 else { return false }
        let word = filter { $0 > 0x20 && $0 != UInt8(ascii: "\"") }.map { $0 | 0x20 }
        return word.elementsEqual("[done]".utf8.map { $0 | 0x20 })
    }
}
