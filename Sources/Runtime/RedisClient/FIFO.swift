/// A first-in-first-out queue in a ring buffer that never shrinks.
struct FIFO<Element> {
    private var ring: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    var first: Element? { isEmpty ? nil : ring[head] }

    mutating func append(_ element: Element) {
        if count == ring.count { grow() }
        ring[(head + count) & (ring.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = ring[head].take()
        head = (head + 1) & (ring.count - 1)
        count -= 1
        return element
    }

    /// The elements, oldest first.
    var elements: some Sequence<Element> {
        (0..<count).lazy.compactMap { ring[(head + $0) & (ring.count - 1)] }
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(16, ring.count * 2))
        while let element = popFirst() { larger.append(element) }
        count = larger.count
        while larger.count < max(16, ring.count * 2) { larger.append(nil) }
        ring = larger
        head = 0
    }
}
