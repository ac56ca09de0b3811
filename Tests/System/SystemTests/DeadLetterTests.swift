import FoundationEssentials
import TestSupport
import Testing

@Suite("lemma dead-letters", .tags(.system), .timeLimit(.minutes(2)))
struct DeadLetterTests {
    private struct Letter: Decodable {
        let id: String
        let reason: String
        let kind: String?
        let correlationId: String?
    }

    private struct Whole: Decodable {
        let id: String
        let fields: [String: String]
    }

    private static func lines<Line: Decodable>(_ text: String, as type: Line.Type = Line.self) throws -> [Line] {
        try text.split(separator: "\n").map { try JSONDecoder().decode(type, from: Data($0.utf8)) }
    }

    @Test("a record that PostgreSQL refused is listed, shown, and redriven once the cause is mended")
    func records() async throws {
        try await Deployment.running { deployment in
            try deployment.database.sql("ALTER TABLE math_requests ADD CONSTRAINT wrong CHECK (problem <> 'bad')")
            let client = deployment.api
            let submitted = try client.submit("bad")
            #expect(try client.follow(submitted.streamUrl).terminal?.name == "completed")
            // Of its submission and of its end.
            let count = { try deployment.askRedis("XLEN", "lemma:{p0}:finished-dead") }
            #expect(try await eventually(within: .seconds(20)) { try count() == "2\n" })
            let letters: [Letter] = try Self.lines(try deployment.output("dead-letters", "list", "--records", "--json"))
            #expect(letters.map(\.kind) == ["submitted", "finished"])
            #expect(letters.allSatisfy { $0.reason == "refused" && $0.correlationId == submitted.correlationId })
            let table = try deployment.output("dead-letters", "list", "--records")
            #expect(table.contains("\(letters[1].id)  20") && table.contains("  refused  finished  "))
            let shown = try deployment.output("dead-letters", "show", letters[1].id, "--records", "--json")
            let whole = try #require(try Self.lines(shown, as: Whole.self).first)
            #expect(whole.id == letters[1].id && whole.fields["problem"] == "bad" && whole.fields["answer"] == "bad ")
            let plain = try deployment.output("dead-letters", "show", letters[1].id, "--records")
            #expect(plain.hasPrefix("reason: refused\n") && plain.contains("\nproblem: bad\n"))

            try deployment.database.sql("ALTER TABLE math_requests DROP CONSTRAINT wrong")
            for letter in letters { try deployment.run("dead-letters", "redrive", letter.id, "--records") }
            let answer = { try deployment.database.sql("SELECT content FROM ai_responses") }
            #expect(try await eventually(within: .seconds(20)) { try answer() == "bad " })
            #expect(try count() == "0\n")
            #expect(throws: (any Error).self) {
                try deployment.run("dead-letters", "redrive", letters[0].id, "--records")
            }
        }
    }

    @Test("dead letters above DEAD_LETTERS_MAX push the oldest out, which a metric counts")
    func dropped() async throws {
        let settings = ["JOB_MAX_ATTEMPTS": "1", "DEAD_LETTERS_MAX": "2"]
        let plan = Deployment.Plan(workers: 1, environment: settings, mockScript: "fail\n")
        try await Deployment.running(plan) { deployment in
            let client = deployment.api
            var ids: [String] = []
            for number in 0..<5 {
                let submitted = try client.submit("problem \(number)")
                #expect(try client.follow(submitted.streamUrl).terminal?.name == "failed")
                ids.append(submitted.correlationId)
            }
            let worker = deployment.workers[0]
            #expect(try await eventually { try worker.metric("lemma_dead_letters_dropped_total") == 3 })
            #expect(try worker.metric("lemma_dead_letters_total") == 5)
            let letters: [Letter] = try Self.lines(try deployment.output("dead-letters", "list", "--json"))
            #expect(letters.map(\.correlationId) == Array(ids.suffix(2)))
        }
    }

    @Test("a dead-lettered job is listed, shown and dropped; records and jobs are kept apart")
    func jobs() async throws {
        let plan = Deployment.Plan(environment: ["JOB_MAX_ATTEMPTS": "1"], mockScript: "fail\n")
        try await Deployment.running(plan) { deployment in
            let client = deployment.api
            let submitted = try client.submit("2x + 3 = 7")
            #expect(try client.follow(submitted.streamUrl).terminal?.name == "failed")
            let letters: [Letter] = try Self.lines(try deployment.output("dead-letters", "list", "--json"))
            #expect(letters.map(\.correlationId) == [submitted.correlationId])
            let letter = try #require(letters.first)
            let shown = try deployment.output("dead-letters", "show", letter.id, "--json")
            let whole = try #require(try Self.lines(shown, as: Whole.self).first)
            #expect(whole.fields["problem"] == "2x + 3 = 7" && whole.fields["reason"] == "attempts_exhausted")
            #expect(throws: (any Error).self) { try deployment.run("dead-letters", "show", letter.id, "--records") }
            #expect(throws: (any Error).self) { try deployment.run("dead-letters", "drop", letter.id, "--records") }
            try deployment.run("dead-letters", "drop", letter.id)
            #expect(try deployment.output("dead-letters", "list") == "there are no dead letters\n")
        }
    }
}
