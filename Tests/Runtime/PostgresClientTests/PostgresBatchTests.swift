import TestSupport
import Testing

@testable import PostgresClient

private let first = PostgresStatement("SELECT 1")
private let second = PostgresStatement("SELECT 2")

@Suite("The results of a batch", .tags(.unit))
struct PostgresBatchTests {
    private func describe(_ commands: [BatchCommand]) -> [String] {
        commands.map { command in
            switch command {
            case .prepare(let call, let name): "prepare \(call.statement === first ? 1 : 2) as \(name)"
            case .execute(let call, let name): "execute \(call.statement === first ? 1 : 2) as \(name ?? "text")"
            }
        }
    }

    @Test("prepares a statement before its first call, and again under another name until the server confirms it")
    func commands() {
        var statements = PreparedStatements()
        let calls = [first(), second(), first()]
        let expected = [
            "prepare 1 as s1", "execute 1 as s1", "prepare 2 as s2", "execute 2 as s2", "execute 1 as s1",
        ]
        #expect(describe(statements.commands(for: calls)) == expected)
        statements.confirm(ObjectIdentifier(first), as: "s1")
        #expect(
            describe(statements.commands(for: calls))
                == ["execute 1 as s1", "prepare 2 as s3", "execute 2 as s3", "execute 1 as s1"]
        )
        #expect(statements.commands(for: []).isEmpty)
    }

    @Test("assigns each reply to the command in turn, and ends at the synchronisation point")
    func results() {
        let identity = ObjectIdentifier(first)
        let commands: [BatchCommand] = [
            .prepare(first(), name: "s1"), .execute(first(), name: "s1"), .execute(first(), name: "s1"),
        ]
        let rows: [(name: String, replies: [PostgresBatch.Reply], actions: [PostgresBatch.Action], state: String?)] = [
            (
                "success", [.completed, .completed, .completed, .synchronised],
                [.confirm(identity, name: "s1"), .appendRows, .appendRows, .finish], nil
            ),
            (
                "a failed preparation", [.failed(state: "42601"), .aborted, .aborted, .synchronised],
                [.none, .none, .none, .finish], "42601"
            ),
            (
                "a failed call", [.completed, .completed, .failed(state: "23505"), .synchronised],
                [.confirm(identity, name: "s1"), .appendRows, .none, .finish], "23505"
            ),
            (
                "a failed commit", [.completed, .completed, .completed, .failed(state: "23503"), .synchronised],
                [.confirm(identity, name: "s1"), .appendRows, .appendRows, .none, .finish], "23503"
            ),
            (
                "two failures", [.failed(state: "23505"), .failed(state: "25P02"), .aborted, .synchronised],
                [.none, .none, .none, .finish], "23505"
            ),
            ("an error of libpq", [.completed, .failed(state: nil)], [.confirm(identity, name: "s1"), .none], nil),
        ]
        for row in rows {
            var batch = PostgresBatch(commands)
            #expect(row.replies.map { batch.handle($0) } == row.actions, "\(row.name)")
            #expect(batch.failure?.state == row.state, "\(row.name)")
            #expect(!batch.endsWithResults, "\(row.name)")
        }
    }

    @Test("counts no results of a script")
    func script() {
        var script = PostgresBatch.script
        #expect(script.endsWithResults)
        #expect(script.handle(.completed) == .none && script.handle(.failed(state: "42601")) == .none)
        #expect(script.failure?.state == "42601" && script.endsWithResults)
    }
}
