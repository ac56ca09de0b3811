internal import FoundationEssentials
internal import Glibc

/// Inputs for parsers: valid pieces joined, then mutated.
///
/// Each input has a number and is a function of it alone.
package struct Mutation: Sendable {
    private let seeds: [[UInt8]]
    private let splices: [[UInt8]]

    /// `seeds` are valid inputs, `splices` is inserted into them.
    package init(seeds: [String], splices: [String]) {
        self.seeds = seeds.map { Array($0.utf8) }
        self.splices = splices.map { Array($0.utf8) }
    }

    /// Input number `number`, and places to cut it at.
    package func input(_ number: UInt64) -> (bytes: [UInt8], cuts: [Int]) {
        var random = SeededRandom(seed: number)
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) { bytes += pick(seeds, &random) }
        for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty { damage(&bytes, &random) }
        let cuts = (0..<Int.random(in: 1...6, using: &random)).map { _ in
            Int.random(in: 0...bytes.count, using: &random)
        }
        return (bytes, number % 16 == 0 ? Array(0..<bytes.count) : cuts.sorted())
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 1...40, using: &random))
        switch Int.random(in: 0...5, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 2: bytes.removeSubrange(place..<end)
        case 3: bytes.insert(contentsOf: pick(splices, &random), at: place)
        case 4: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case _: bytes.removeSubrange(place...)
        }
    }

    private func pick(_ list: [[UInt8]], _ random: inout SeededRandom) -> [UInt8] {
        list.randomElement(using: &random) ?? []
    }

    /// The number of inputs: `LEMMA_FUZZ_INPUTS`, or few enough for every run of the tests.
    private static var count: Int { requested ?? 4000 }

    private static let requested = ProcessInfo.processInfo.environment["LEMMA_FUZZ_INPUTS"].flatMap { Int($0) }

    /// The bytes by which the process may grow meanwhile; other tests in the same process add to its growth.
    package static let growthMax = requested == nil ? 2 << 30 : 64 << 20

    /// Checks all inputs, on all processors; returns the numbers of those that failed, at most a few, and the bytes by
    /// which the process has grown.
    package func run(
        _ check: @escaping @Sendable (_ bytes: [UInt8], _ cuts: [Int]) -> Bool
    ) async -> (failed: [UInt64], growth: Int) {
        let shards = UInt64(max(1, ProcessInfo.processInfo.activeProcessorCount))
        let count = UInt64(Self.count)
        // What the first inputs allocate for the lifetime of the process does not count.
        for number in 0..<min(count, 200) { _ = passes(number, check) }
        let before = Self.residentBytes
        let failed = await withTaskGroup { group in
            for shard in 0..<shards {
                group.addTask {
                    stride(from: shard, to: count, by: Int(shards)).lazy.filter { !passes($0, check) }.prefix(3).map(
                        \.self
                    )
                }
            }
            return await group.reduce(into: [UInt64]()) { $0 += $1 }
        }
        return (failed.sorted(), Self.residentBytes - before)
    }

    private func passes(_ number: UInt64, _ check: (_ bytes: [UInt8], _ cuts: [Int]) -> Bool) -> Bool {
        let (bytes, cuts) = input(number)
        return check(bytes, cuts)
    }

    private static var residentBytes: Int {
        let data = FileManager.default.contents(atPath: "/proc/self/statm") ?? Data()
        let pages = String(decoding: data, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

extension [UInt8] {
    /// The pieces between the cuts, which ascend.
    package func pieces(_ cuts: [Int]) -> [ArraySlice<UInt8>] {
        zip([0] + cuts, cuts + [count]).map { self[$0..<$1] }
    }
}
