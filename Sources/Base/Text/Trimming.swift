extension BidirectionalCollection {
    /// The rest without the leading and trailing elements for which `isOuter` is true.
    @inlinable package func trimming(_ isOuter: (Element) -> Bool) -> SubSequence {
        guard let first = firstIndex(where: { !isOuter($0) }), let last = lastIndex(where: { !isOuter($0) }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension StringProtocol {
    /// The rest without leading and trailing spaces and tabs.
    @inlinable package var trimmingBlanks: SubSequence { trimming { $0 == " " || $0 == "\t" } }
}

extension BidirectionalCollection<UInt8> {
    /// The rest without leading and trailing spaces and tabs.
    @inlinable package var trimmingBlanks: SubSequence {
        trimming { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }
}
