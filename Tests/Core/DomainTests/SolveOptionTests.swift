import ArchiveSupport
import Domain
import TestSupport
import Testing

@Suite("Solve options", .tags(.unit))
struct SolveOptionTests {
    @Test(
        "every option reads the text that it stores, and has a name and a column of its own",
        arguments: SolveOption.allCases
    )
    func stored(option: SolveOption) {
        for value in [option.samples.0, option.samples.1] {
            #expect(option.rule.allows(value))
            #expect(option.rule.value(storedText: value.storedText) == value)
            let options = SolveOptions([option: value])
            #expect(options[option] == value && options.changed == [option])
            #expect(SolveOptions { $0 == option ? value.storedText : nil } == options)
        }
        #expect(SolveOption.allCases.filter { $0.column == option.column } == [option])
    }

    @Test(
        "the spelling in Redis and PostgreSQL is that of the releases before",
        arguments: [
            (.temperature, "temperature", "temperature"), (.maxOutputTokens, "maxOutputTokens", "max_output_tokens"),
            (.onDisconnect, "onDisconnect", "on_disconnect"), (.onBusy, "onBusy", "on_busy"),
        ] as [(SolveOption, String, String)],
    )
    func spelling(option: SolveOption, field: String, column: String) {
        #expect(option.rawValue == field && option.column == column)
    }

    @Test("a stored value that this release does not know counts as the standard one")
    func unknown() {
        let texts: [SolveOption: String] = [
            .temperature: "warm", .maxOutputTokens: "1.5", .onBusy: "ponder", .onDisconnect: "",
        ]
        #expect(SolveOptions { texts[$0] } == SolveOptions())
    }

    @Test("setting the standard value is setting nothing")
    func standard() {
        for option in SolveOption.allCases {
            var options = SolveOptions(SolveOption.samples)
            options[option] = option.rule.standard
            #expect(options[option] == option.rule.standard && !options.changed.contains(option))
        }
        #expect(SolveOptions([.onBusy: .text("enqueue"), .onDisconnect: .text("continue")]) == SolveOptions())
        #expect(SolveOptions().temperature == nil && SolveOptions().maxOutputTokens == nil)
        #expect(SolveOptions().onBusy == .enqueue && SolveOptions().onDisconnect == .continue)
    }

    @Test(
        "a value of another type or outside of the range is not allowed",
        arguments: [
            (.temperature, .integer(1)), (.temperature, .number(2.001)), (.temperature, .number(.nan)),
            (.maxOutputTokens, .number(1)), (.maxOutputTokens, .integer(0)), (.onBusy, .text("ENQUEUE")),
            (.onBusy, .integer(0)), (.onDisconnect, .text("enqueue")),
        ] as [(SolveOption, SolveOption.Value)],
    )
    func notAllowed(option: SolveOption, value: SolveOption.Value) {
        #expect(!option.rule.allows(value))
    }
}
