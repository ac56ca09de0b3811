internal import Synchronization

/// How the mock provider misbehaves, read from the file that `MOCK_SCRIPT` names.
///
/// One rule a line, `#` begins a comment:
/// ```
/// <action>[:<tokens>] [x<times>] [when <text in the problem>]
/// ```
/// The first rule that fits a call and has times left decides; without one the provider answers. Actions: `answer`,
/// `fail` (before the first token, or after `<tokens>`), `hang` (likewise), `reject` (as a provider rejects a request),
/// `content-filter` (ends so). Times are counted over the whole process.
package final class MockScript: Sendable {
    enum Action: Sendable, Hashable {
        case answer
        case fail(after: Int)
        case hang(after: Int)
        case reject
        case contentFilter
    }

    struct Rule: Sendable, Hashable {
        let action: Action
        var timesLeft: Int?
        let text: String?
    }

    /// A line that is no rule.
    package struct Malformed: Error, CustomStringConvertible {
        let line: Int
        let reason: String
        package var description: String { "line \(line): \(reason)" }
    }

    private let rules: Mutex<[Rule]>

    /// A script without rules: every call is answered.
    package static var empty: MockScript { MockScript(rules: []) }

    private init(rules: [Rule]) { self.rules = Mutex(rules) }

    package convenience init(_ text: String) throws(Malformed) {
        var rules: [Rule] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let rule = line.prefix { $0 != "#" }
            if rule.allSatisfy(\.isWhitespace) { continue }
            do throws(Reason) {
                rules.append(try Self.rule(rule))
            } catch {
                throw Malformed(line: index + 1, reason: error.text)
            }
        }
        self.init(rules: rules)
    }

    private struct Reason: Error {
        let text: String
    }

    private static func rule(_ line: Substring) throws(Reason) -> Rule {
        var words = line.split(whereSeparator: \.isWhitespace)[...]
        guard let first = words.popFirst() else { throw Reason(text: "there is no action") }
        let action = try action(first)
        var times: Int?
        if let word = words.first, word.hasPrefix("x") {
            guard let number = Int(word.dropFirst()), number > 0 else {
                throw Reason(text: "\(word) is no number of times, such as x2")
            }
            times = number
            words.removeFirst()
        }
        guard !words.isEmpty else { return Rule(action: action, timesLeft: times, text: nil) }
        guard words.popFirst() == "when", !words.isEmpty else {
            throw Reason(text: "after the action come x<times> and: when <text in the problem>")
        }
        return Rule(action: action, timesLeft: times, text: words.joined(separator: " "))
    }

    private static func action(_ word: Substring) throws(Reason) -> Action {
        let parts = word.split(separator: ":", maxSplits: 1)
        let tokens = parts.count == 2 ? Int(parts[1]) : 0
        guard let tokens, tokens >= 0 else { throw Reason(text: "\(word) needs a number of tokens after the colon") }
        switch parts.first {
        case "answer": return .answer
        case "fail": return .fail(after: tokens)
        case "hang": return .hang(after: tokens)
        case "reject": return .reject
        case "content-filter": return .contentFilter
        default: throw Reason(text: "\(word) is none of: answer, fail, hang, reject, content-filter")
        }
    }

    /// What the next call for this problem does; uses up one time of the rule that decides.
    func action(for problem: String) -> Action {
        rules.withLock { rules in
            for index in rules.indices {
                if let text = rules[index].text, !problem.contains(text) { continue }
                if let left = rules[index].timesLeft {
                    guard left > 0 else { continue }
                    rules[index].timesLeft = left - 1
                }
                return rules[index].action
            }
            return .answer
        }
    }
}
