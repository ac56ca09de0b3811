/// The number of items of a page.
package struct PageSize: Sendable, Equatable {
    package static let allowed = 1...100
    package static let standard = PageSize(uncheckedCount: 50)

    package let count: Int

    /// Nil outside of ``allowed``.
    package init?(_ count: Int) {
        guard Self.allowed.contains(count) else { return nil }
        self.count = count
    }

    private init(uncheckedCount: Int) { count = uncheckedCount }
}

/// A part of a list, and the place of the next part.
package struct Page<Item: Sendable, Place: Sendable>: Sendable {
    package let items: [Item]
    /// Nil on the last page.
    package let next: Place?

    package init(items: [Item], next: Place?) {
        self.items = items
        self.next = next
    }
}
