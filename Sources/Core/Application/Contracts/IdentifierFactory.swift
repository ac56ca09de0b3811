package import Shared

/// Generates the identifiers of new entities: version 7 UUIDs, which sort by their time.
package struct IdentifierFactory: Sendable {
    private let clock: any WallClock
    private let random: any RandomSource

    package init(clock: any WallClock, random: any RandomSource) {
        self.clock = clock
        self.random = random
    }

    /// An identifier in a random lane.
    package func make<Identifier: UUIDIdentifier>(_: Identifier.Type = Identifier.self) -> Identifier {
        make(ending: random.next())
    }

    /// An identifier in the given lane, so that it shares a partition with the others of that lane.
    package func make<Identifier: UUIDIdentifier>(
        _: Identifier.Type = Identifier.self,
        in lane: UInt16
    ) -> Identifier {
        make(ending: random.next() & ~UInt64(UInt16.max) | UInt64(lane))
    }

    private func make<Identifier: UUIDIdentifier>(ending: UInt64) -> Identifier {
        Identifier(bits: UUIDBits(version7At: clock.now(), random: (random.next(), ending)))
    }
}
