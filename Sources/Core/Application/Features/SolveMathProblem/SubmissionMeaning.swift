internal import Domain
internal import Shared

/// The text whose fingerprint decides whether a repeated `Idempotency-Key` means the same submission.
///
/// Replicas of several releases compare fingerprints with each other, so the text of a submission never changes. It has one
/// line for each part of release 1.0, and the problem, which may have several lines, last. An option of a later release adds
/// a line before the problem only where it has another than its standard value. Such a line begins with U+0000: no problem
/// begins so, and no two submissions have the same text.
struct SubmissionMeaning {
    /// The options of release 1.0, in the order of their lines; later options are not added here.
    static let firstOptions: [SolveOption] = [.temperature, .maxOutputTokens, .onDisconnect, .onBusy]

    let text: String

    init(conversation: ConversationID?, provider: String?, options: SolveOptions, problem: MathProblem) {
        let later = SolveOption.allCases.filter { !Self.firstOptions.contains($0) && options.changed.contains($0) }
        self.init(
            head: [conversation?.description ?? "", provider ?? ""],
            first: Self.firstOptions.map { options[$0]?.storedText ?? "" },
            later: later.map { ($0.rawValue, options[$0]?.storedText ?? "") },
            problem: problem.text,
        )
    }

    init(head: [String], first: [String], later: [(name: String, value: String)], problem: String) {
        let lines = head + first + later.map { "\0\($0.name)=\($0.value)" } + [problem]
        text = lines.joined(separator: "\n")
    }
}
