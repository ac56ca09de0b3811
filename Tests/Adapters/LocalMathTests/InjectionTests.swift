import TestSupport
import Testing

@testable import LocalMath

@Suite("Untrusted input of the local solver", .tags(.integration))
struct InjectionTests {
    @Test(
        "Commands, files, quotes and settings of the calculator are never understood",
        arguments: [
            "command(\"id\")", "command(id)", "load(\"/etc/passwd\")", "load(/etc/passwd)", "export(x, /tmp/x)",
            "plot(x)", "plot(x^2, 1, 2)", "save mode", "save(1, x)", "set base 16", "set approximation exact",
            "/set base 16",
            "quit", "exit", "exrates", "store a", "variable a 5", "function f(x) x^2 + rand()", "delete x", "info sin",
            "find variables", "list functions", "1+1 to base 16", "1+1 to hex", "5 to roman", "1; quit", "1\nquit",
            "1\n/quit", "1 # comment", "\"text\"", "'x'", "x := 5", "a = 5; save", "1 @ 2", "1 \\ 2",
            "\\input{/etc/passwd}",
            "\\write18{id}", "$(id)", "`id`x", "1 && 2", "1 || 2", "~1", "rand()", "now", "today", "uptime", "csum(1)",
            "processm(1)", "element(H)", "atom(\"H\")", "title(x)", "char(65)", "code(A)", "replace(x, x, 1)",
            "genvector(x)",
            "dollar", "5 EUR to USD", "5 USD to EUR", "register(1)", "answer(1) + ans(1)",
            // Letters that look like others, digits of other scripts, marks, controls, directions.
            "sіn(1)", "２+２", "١+١", "x\u{0301} + 1", "1\u{0000}+1", "1\u{202E}+1", "1\u{2028}quit", "1\u{000B}quit",
            "ℯ^1",
        ]
    )
    func refused(text: String) {
        #expect(throws: ReadingError.self) { try ProblemReader.read(text) }
    }

    @Test(
        "What is passed on holds only our own alphabet and is one line",
        arguments: [
            "2x + 3 = 7", "derivative of x^3 sin(x)", "5 km to miles", "sum(k^2, k, 1, 10)", "|x| + 5!", "√2 · ½",
            "integrate x from 0 to infinity", "log_2(8)", "20 °C to °F", "\\frac{a}{b}",
        ]
    )
    func alphabet(text: String) throws {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 +-*/^().,=<>\\[]")
        for passed in Self.passedOn(try ProblemReader.read(text)) {
            #expect(passed.text.allSatisfy(allowed.contains), "\(passed.text)")
        }
    }

    static func passedOn(_ problem: Problem) -> [CalculatorText] {
        switch problem {
        case .evaluate(let expression): [CalculatorText(expression)]
        case .expand(let expression): [.expand(expression)]
        case .factor(let expression): [.factor(expression)]
        case .solve(let relation, let unknown): [.solve(relation, for: unknown)]
        case .inequalities(let relations, let unknown): relations.map { .solve($0, for: unknown) }
        case .system(let relations, let unknowns): [.solve(relations, for: unknowns)]
        case .compare: []
        case .derivative(let expression, let variable, let order): [.derivative(expression, by: variable, order: order)]
        case .integral(let expression, let variable, let bounds): [.integral(expression, by: variable, bounds: bounds)]
        case .limit(let expression, let variable, let place): [.limit(expression, of: variable, at: place)]
        case .convert(let quantity, let unit): [CalculatorText(quantity)] + (unit.map { [CalculatorText($0)] } ?? [])
        }
    }
}

@Suite("Random input of the local solver", .tags(.integration))
struct FuzzTests {
    @Test("Fifty thousand random texts are read or refused, and what is read has only our alphabet")
    func random() {
        let seed: UInt64 = 0x4C65_6D6D_61
        var generator = SplitMix(state: seed)
        let words = [
            "x", "y", "sin", "cos(", "(", ")", "+", "-", "*", "/", "^", "=", "<", ",", ";", "\n", " ", "2", "3.5",
            "1e3", "!",
            "%", "°", "|", "{", "}", "\\frac", "\\sqrt", "\\int", "_", "integrate", "derivative of", "solve", "from",
            "to",
            "with respect to", "for", "and", "km", "m", "in", "pi", "e", "i", "limit", "as", "->", "√", "²", "½", "dx",
            "sum(", "log", "10", "\\", "\"", "\u{1F4A5}", "µ", "⁻", "convert", "d/dx", "infinity", "mod", "999999999",
            "'",
            "log_", "°C", "in", "factor", "expand", "second", ":", "?", ".", "$",
        ]
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 +-*/^().,=<>!\\[]")
        var read = 0
        for _ in 0..<50_000 {
            var text = ""
            for _ in 0...Int.random(in: 0...14, using: &generator) {
                text += words[Int.random(in: 0..<words.count, using: &generator)]
                if Bool.random(using: &generator) { text += " " }
            }
            guard let problem = try? ProblemReader.read(text) else { continue }
            read += 1
            for passed in InjectionTests.passedOn(problem) where !passed.text.allSatisfy(allowed.contains) {
                Issue.record("seed \(seed): \(text) passes on \(passed.text)")
            }
        }
        #expect(read > 1_000)
    }

    @Test("Random bytes as results of the calculator are read or rejected")
    func results() {
        var generator = SplitMix(state: 0x5175_616C_63)
        let alphabet = Array("0123456789.+-*/^()[]|;<>= 'xyCnE,ei!pisnqrtad\u{221E}")
        for _ in 0..<30_000 {
            let length = Int.random(in: 0...30, using: &generator)
            let text = String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
            _ = CalculatorValue(text)
        }
        #expect(CalculatorValue(String(repeating: "(", count: 5_000)) == .unsolved)
        #expect(CalculatorValue("[1  2") == .unsolved)
        #expect(CalculatorValue("[3  sqrt(2)]") == .list([.number(3), .function(.sqrt, [.number(2)])]))
    }
}

/// Steele, Lea and Flood's generator: the same numbers from the same seed.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
