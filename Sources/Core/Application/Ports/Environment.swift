package import Shared
internal import Text

/// Time that only goes forward, and waiting for it.
package protocol MonotonicClock {
    /// Time since some fixed moment.
    var now: Duration { get }
    /// Suspends for `delay`; ends at once with an error when the task is cancelled.
    func sleep(for delay: Duration) async throws(CancellationError)
}

/// Starts tasks that stay on the caller's own thread, so that they may share its objects.
package protocol LocalTasks {
    /// Starts `operation` at once. The caller keeps the task, to cancel or to await it.
    func start(_ operation: @escaping () async -> Void) -> Task<Void, Never>
}

/// A digest that stands for a text: equal texts have equal ones, and no text can be found for a given one.
package struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
    /// At least 16.
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        precondition(bytes.count >= 16, "a fingerprint of fewer than 128 bits")
        self.bytes = bytes
    }

    /// Lower-case hexadecimal digits.
    package var description: String { Hexadecimal.text(bytes) }

    /// Its first 16 bits, as the lane of ids that are to be kept beside it; see ``UUIDBits/lane``.
    package var lane: UInt16 { UInt16(bytes[0]) << 8 | UInt16(bytes[1]) }
}

/// Makes fingerprints.
package protocol Fingerprinting: Sendable {
    func fingerprint(_ text: String) -> Fingerprint
}

/// Makes the identifiers of new things.
package struct IdentifierFactory: Sendable {
    private let clock: any WallClock
    private let random: any RandomSource

    package init(clock: any WallClock, random: any RandomSource) {
        self.clock = clock
        self.random = random
    }

    /// A version 7 UUID: sortable by the time it was made.
    package func make<Identifier: UUIDIdentifier>(_: Identifier.Type = Identifier.self) -> Identifier {
        make(ending: random.next())
    }

    /// The same in a given lane, for ids that must share a partition.
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
