internal import Console
internal import LemmaSettings

/// `lemma dev`: everything in one process.
enum DevCommand {
    static let command = Command(
        CommandSpecification(
            "dev",
            summary: "run everything in one process, without any configuration",
            details: """
                Starts a private Redis and a private PostgreSQL under ./.lemma/ (kept between runs), migrates, runs API and
                worker, and prints the URL of the web page. Ctrl-C stops it.
                """,
        )
    ) { _ in
        try await Serving.run(try loadConfiguration(.dev), role: .dev)
        return .success
    }
}
