import ArchiveSupport
import Domain
import Shared
import TestSupport
import Testing

@testable import Application

@Suite("The meaning of a submission under an idempotency key", .tags(.unit))
struct SubmissionMeaningTests {
    private static let conversation = ConversationID("0198f0e1-0000-7000-8000-00000000abcd")

    private func meaning(
        in conversation: ConversationID? = nil,
        provider: String? = nil,
        _ options: SolveOptions = SolveOptions(),
        _ problem: String = "2x = 4\nfor x"
    ) -> String {
        SubmissionMeaning(
            conversation: conversation,
            provider: provider,
            options: options,
            problem: MathProblem(stored: problem),
        ).text
    }

    @Test("has the bytes of the releases before, so that their replicas compare equal")
    func formerBytes() {
        #expect(meaning() == "\n\n\n\ncontinue\nenqueue\n2x = 4\nfor x")
        let all = SolveOptions([
            .temperature: .number(1), .maxOutputTokens: .integer(32_768), .onDisconnect: .text("cancel"),
            .onBusy: .text("interrupt"),
        ])
        #expect(
            meaning(in: Self.conversation, provider: "mock", all)
                == "0198f0e1-0000-7000-8000-00000000abcd\nmock\n1.0\n32768\ncancel\ninterrupt\n2x = 4\nfor x"
        )
        #expect(SubmissionMeaning.firstOptions == [.temperature, .maxOutputTokens, .onDisconnect, .onBusy])
    }

    @Test("changes with every option and every value", arguments: SolveOption.allCases)
    func everyOption(option: SolveOption) {
        let values = [nil, option.samples.0, option.samples.1]
        for others in [SolveOptions(), SolveOptions(SolveOption.samples)] {
            let texts = values.map { value in
                var options = others
                options[option] = value ?? option.rule.standard
                return meaning(options)
            }
            #expect(Set(texts).count == Set(values).count)
        }
    }

    @Test("changes with the conversation, the provider and the problem")
    func everythingElse() {
        let texts = [
            meaning(), meaning(in: Self.conversation), meaning(provider: "mock"), meaning(SolveOptions(), "2x = 4"),
        ]
        #expect(Set(texts).count == texts.count)
    }

    @Test("has a line for each later option that is set, which no problem can imitate")
    func laterOptions() {
        func text(_ later: [(String, String)], _ problem: String = "1") -> String {
            SubmissionMeaning(
                head: ["", ""],
                first: ["", "", "continue", "enqueue"],
                later: later.map { (name: $0.0, value: $0.1) },
                problem: MathProblem(stored: problem).text,
            ).text
        }
        #expect(text([]) == meaning(SolveOptions(), "1"))
        #expect(text([("seed", "7")]) == "\n\n\n\ncontinue\nenqueue\n\0seed=7\n1")
        let texts = [
            text([]), text([("seed", "7")]), text([("seed", "8")]), text([("steps", "7")]),
            text([("seed", "7"), ("steps", "7")]), text([], "\0seed=7\n1"), text([], "seed=7\n1"),
        ]
        #expect(Set(texts).count == texts.count)
    }
}
