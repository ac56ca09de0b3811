extension BidirectionalCollection {
    /// Without the elements at both ends for which `isOuter` is true.
    @inlinable package func trimming(_ isOuter: (Element) -> Bool) -> SubSequence {
        guard let first = firstIndex(where: { !isOuter($0) }), let last = lastIndex(where: { !isOuter($0) }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension StringProtocol {
    /// Without the spaces and tabs around it.
    @inlinable package var trimmingBlanks: SubSequence { trimming { $0 == " " || $0 == "\t" } }
}

extension BidirectionalCollection<UInt8> {
    /// Without the spaces and tabs around it.
    @inlinable package var trimmingBlanks: SubSequence {
        trimming { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }
}
