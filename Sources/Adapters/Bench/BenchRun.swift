internal import EventLoop

/// One run of the load generator.
///
/// All students live on one loop, so that measuring costs little beside what is measured. Loop-owned.
package final class BenchRun {
    private let options: BenchOptions
    private let loop: Loop
    private let measurements = Measurements()
    private let allEnded: OneShot<Void>
    private let enoughRequests: OneShot<Void>
    private var active = 0
    private var isOver = false

    /// How long requests under way at the end may still run before their connections are closed.
    private static let drain = Duration.seconds(5)

    private init(_ options: BenchOptions, on loop: Loop) {
        self.options = options
        self.loop = loop
        allEnded = OneShot(loop: loop)
        enoughRequests = OneShot(loop: loop)
    }

    /// Runs the load on an event-loop thread of its own.
    ///
    /// Throws when the calling task is cancelled; failures of the system under test are in the report.
    package static func report(_ options: BenchOptions) async throws -> BenchReport {
        let group = LoopGroup(count: 1)
        defer { group.stop() }
        let loop = group.nextLoop()
        return try await loop.run { loop in
            try await BenchRun(options, on: loop).run()
        }
    }

    private func run() async throws -> BenchReport {
        let students = (0..<options.streams).map { _ in Student(options, on: loop, measurements) }
        active = students.count
        for (index, student) in students.enumerated() {
            let delay = options.warmUp / 2 * index / students.count
            loop.schedule(after: delay) { [self] in begin(student) }
        }
        try await loop.sleep(for: options.warmUp)
        measurements.isMeasuring = true
        let start = Measurements.now()
        loop.schedule(after: options.duration) { [self] in enoughRequests.succeed(()) }
        try await enoughRequests.value()
        measurements.isMeasuring = false
        let seconds = Double(Measurements.now() - start) / 1e9
        isOver = true
        loop.schedule(after: Self.drain) { [self] in allEnded.succeed(()) }
        try await allEnded.value()
        for student in students { student.close() }
        return BenchReport(measurements, options: options, seconds: seconds)
    }

    private func begin(_ student: Student) {
        loop.spawn { [self] in
            while !isOver {
                do { try await student.solve() } catch { break }
                if let requests = options.requests, measurements.completed >= requests { enoughRequests.succeed(()) }
            }
            active -= 1
            if active == 0 { allEnded.succeed(()) }
        }
    }
}
