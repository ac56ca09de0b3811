internal import Console
internal import LemmaSettings

/// `lemma api`: one API replica.
enum APICommand {
    static let command = Command(
        CommandSpecification(
            "api",
            summary: "run one stateless API replica",
            details: "Serves until SIGTERM or SIGINT; then drains for at most DRAIN_GRACE.",
        )
    ) { _ in
        try await Serving.run(try loadConfiguration(.api), role: .api)
        return .success
    }
}
