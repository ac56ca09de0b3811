internal import Bench
internal import Console

/// `lemma bench`: the load generator behind `make bench`.
enum BenchCommand {
    /// Runs with the arguments that follow `bench`; returns the exit status.
    ///
    /// 0 even if some requests failed: the report shows them. 1 when the run was cut short or nothing at all completed,
    /// 2 for a wrong command line.
    static func run(_ arguments: [String]) async -> Int32 {
        if arguments.contains("--help") {
            print(BenchOptions.usage)
            return 0
        }
        do throws(BenchUsageError) {
            return await run(try BenchOptions(arguments: arguments))
        } catch {
            Output.error.note("lemma bench: \(error)\n\(BenchOptions.usage)\n")
            return 2
        }
    }

    private static func run(_ options: BenchOptions) async -> Int32 {
        guard let report = try? await BenchRun.report(options) else {
            Output.error.note("lemma bench: cancelled\n")
            return 1
        }
        print(options.printsJSON ? report.json : report.summary)
        return report.tokens == 0 && report.failureCount > 0 ? 1 : 0
    }
}
