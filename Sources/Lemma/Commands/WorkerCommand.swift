internal import Console
internal import LemmaSettings

/// `lemma worker`: one worker replica.
enum WorkerCommand {
    static let command = Command(
        CommandSpecification(
            "worker",
            summary: "run one worker replica",
            details: "Works until SIGTERM or SIGINT; then drains for at most DRAIN_GRACE.",
        )
    ) { _ in
        try await Serving.run(try loadConfiguration(.worker), role: .worker)
        return .success
    }
}
