import FoundationEssentials
import TestSupport

/// The entries of another release in Redis, as `upgrade/record_entries.py` recorded it.
struct RecordedEntries {
    /// Ids of the requests by what is special about them.
    let requests: [String: String]
    private let commands: [[String]]

    private struct Names: Decodable {
        let requests: [String: String]
    }

    init(_ name: String) throws {
        let root = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let lines = textOfFile("/\(root)/upgrade/\(name).jsonl").split(separator: "\n")
        guard let last = lines.last else { throw ChildProcessError(description: "nothing was recorded as \(name)") }
        requests = try JSONDecoder().decode(Names.self, from: Data(last.utf8)).requests
        commands = try lines.dropLast().map { try JSONDecoder().decode([String].self, from: Data($0.utf8)) }
    }

    /// The only dead letter, as `lemma dead-letters list` names it: by its partition and entry.
    var deadLetter: String? { commands.first { $0[0] == "XADD" && $0[1].hasSuffix(":dead") }.map { "0-\($0[2])" } }

    /// Puts all of it into a deployment's empty Redis; `added` are further fields of every hash and stream entry, and
    /// further words of values that consist of words.
    func load(into deployment: Deployment, adding added: [String] = []) throws {
        for words in commands {
            let answer = try deployment.askRedis(Self.extended(Self.past(words), by: added))
            guard !answer.contains("ERR"), !answer.contains("BUSYGROUP") else {
                throw ChildProcessError(description: "\(words): \(answer)")
            }
        }
    }

    private static func extended(_ words: [String], by added: [String]) -> [String] {
        guard let first = added.first else { return words }
        switch words[0] {
        case "HMSET", "XADD": return words + added
        case "SET": return words.dropLast() + ["\(words.last ?? "") \(first)"]
        case "ZADD" where words[1].hasSuffix(":delayed"): return words.dropLast() + ["\(words.last ?? "") \(first)"]
        default: return words
        }
    }

    /// Every moment that something waits for is over, whatever the time was when it was recorded.
    private static func past(_ words: [String]) -> [String] {
        var words = words
        if words[0] == "ZADD" { words[2] = "1" }
        if let index = words.firstIndex(of: "TIME") { words[index + 1] = "1" }
        return words
    }
}
