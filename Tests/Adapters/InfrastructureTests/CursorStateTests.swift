import Shared
import TestSupport
import Testing

@testable import Infrastructure

@Suite("What a viewer's cursor does next", .tags(.unit))
struct CursorStateTests {
    private func id(_ text: String) -> EventID { EventID(text) ?? .beginning }

    private func head(_ text: String, _ data: String = "{}") -> EntryHead {
        EntryHead(id: id(text), name: Array("token".utf8), data: Array(data.utf8), appendedMicroseconds: nil)
    }

    /// Delivers a page as a viewer with room takes it, and returns what follows; nil where nothing is delivered.
    private func deliver(_ page: [EntryHead], _ state: inout CursorState) -> CursorState.Action? {
        guard case .events(let entries) = state.didRead(page) else { return nil }
        for entry in entries { state.advance(to: entry.id, entry.data) }
        return state.didDeliverPage()
    }

    private func action(_ page: [EntryHead], _ state: inout CursorState) -> CursorState.Action? {
        guard case .action(let action) = state.didRead(page) else { return nil }
        return action
    }

    /// Live after `cursor`, whose data is known.
    private func live(after cursor: String) -> CursorState {
        var state = CursorState(after: .beginning)
        _ = state.read()
        _ = deliver([head("0-1"), head(cursor)], &state)
        return state
    }

    private func page(_ from: String, _ events: Int) -> CursorState.Action {
        .read(.init(from: id(from), events: events))
    }

    @Test("a new viewer reads from the first event and is live when the page ends")
    func beginning() {
        var state = CursorState(after: .beginning)
        #expect(state.push(id("1-0")) == .nothing, "the subscription is not confirmed")
        #expect(state.read() == page("0-0", 32))
        #expect(!state.isCaughtUp)
        #expect(deliver([head("0-1"), head("1-0")], &state) == .nothing)
        #expect(state.isLive && state.isCaughtUp && state.cursor == id("1-0"))
    }

    @Test("a viewer with a cursor reads that event as well, to see that it is still there")
    func resuming() {
        var state = CursorState(after: id("1-4"))
        #expect(state.read() == page("1-4", 33))
        #expect(deliver([head("1-4", "any"), head("1-5")], &state) == .nothing)
        #expect(state.cursor == id("1-5"))
    }

    @Test(
        "a push to a live viewer is delivered, read behind a gap, or dropped",
        arguments: [
            ("1-4", "1-5", "deliver"), ("1-4", "1-6", "read"), ("1-4", "2-0", "read"), ("1-4", "1-4", "nothing"),
            ("1-4", "1-3", "nothing"), ("1-4", "0-2", "nothing"), ("0-1", "0-2", "deliver"), ("0-1", "1-0", "deliver"),
            ("0-1", "2-0", "read"),
        ],
    )
    func pushes(cursor: String, pushed: String, expected: String) {
        var state = CursorState(after: .beginning)
        _ = state.read()
        _ = deliver([head(cursor)], &state)
        switch state.push(id(pushed)) {
        case .deliver: #expect(expected == "deliver")
        case .read(let page): #expect(expected == "read" && page.from == id(cursor))
        case let other: #expect(expected == "nothing" && other == .nothing)
        }
    }

    @Test("what was pushed while a page was in flight and is not in it is read")
    func pushedMeanwhile() {
        var state = live(after: "1-1")
        #expect(state.push(id("1-3")) == page("1-1", 5))
        #expect(state.push(id("1-4")) == .nothing)
        #expect(deliver([head("1-1"), head("1-2"), head("1-3")], &state) == page("1-3", 5))
        #expect(deliver([head("1-3"), head("1-4")], &state) == .nothing)
    }

    @Test("a push that is never stored does not make it read for ever")
    func unstored() {
        var state = live(after: "1-1")
        #expect(state.push(id("1-9")) == page("1-1", 5))
        #expect(deliver([head("1-1")], &state) == .nothing)
        #expect(state.isLive)
    }

    @Test("a full page is followed by the next, which grows by doubling and aims at 128 KiB")
    func pages() {
        var state = CursorState(after: .beginning)
        #expect(state.read() == page("0-0", 32))
        let full = (1...32).map { head("1-\($0)") }
        #expect(deliver(full, &state) == page("1-32", 65))
        let large = String(repeating: "x", count: 32_768)
        let next = [head("1-32")] + (33...96).map { head("1-\($0)", large) }
        #expect(deliver(next, &state) == page("1-96", 5))
    }

    @Test(
        "a cursor that is not stored any more, or whose id another event has, is lost history",
        arguments: [([], "probe"), (["1-0", "2-0"], "loss"), (["1-1"], "loss")] as [([String], String)],
    )
    func lostCursor(stored: [String], expected: String) {
        var state = live(after: "1-1")
        _ = state.push(id("1-3"))
        let action = action(stored.map { head($0, "other") }, &state)
        #expect(action == (expected == "probe" ? .probe : .noteLoss))
        #expect(state.phase == (expected == "probe" ? .live : .lost))
        #expect(state.read() == (expected == "probe" ? page("1-1", 5) : .nothing))
    }

    @Test("after the loss is noted it starts over with the first event")
    func startingOver() {
        var state = live(after: "1-1")
        _ = state.push(id("1-3"))
        _ = action([head("1-1", "other")], &state)
        #expect(state.push(id("1-2")) == .nothing && state.resume() == .nothing)
        #expect(state.startOver() == page("0-0", 4))
        #expect(state.cursorData == nil && !state.isCaughtUp)
        #expect(deliver([head("0-1"), head("1-0")], &state) == .nothing)
        #expect(state.startOver() == .nothing, "nothing is lost")
    }

    @Test(
        "the last stored event shows a lost push, lost history or an expired log",
        arguments: [
            ("1-2", "{}", "read"), ("1-1", "{}", "nothing"), ("1-1", "other", "loss"), ("1-0", "{}", "loss"),
            ("", "", "end"),
        ],
    )
    func probes(last: String, data: String, expected: String) {
        var state = live(after: "1-1")
        state.willProbe()
        switch state.compare(with: last.isEmpty ? nil : head(last, data)) {
        case .read(let page): #expect(expected == "read" && page.from == id("1-1"))
        case .nothing: #expect(expected == "nothing")
        case .noteLoss: #expect(expected == "loss" && state.phase == .lost)
        case .end: #expect(expected == "end")
        case let other: Issue.record("\(other)")
        }
    }

    @Test("an event delivered after a probe was sent is not lost because the probe does not know it")
    func deliveredMeanwhile() {
        var state = live(after: "1-1")
        state.willProbe()
        #expect(state.push(id("1-2")) == .deliver)
        state.advance(to: id("1-2"), [])
        #expect(state.compare(with: head("1-1")) == .nothing)
    }

    @Test("after lost pushes the next push leads to a read, and a read during a read to another")
    func lostPushes() {
        var state = live(after: "1-1")
        state.didLosePushes()
        #expect(state.push(id("1-2")) == page("1-1", 5))
        #expect(state.read() == .nothing)
        #expect(deliver([head("1-1"), head("1-2")], &state) == page("1-2", 3))
        #expect(deliver([head("1-2")], &state) == .nothing)
        #expect(state.push(id("1-3")) == .deliver)
    }

    @Test("a viewer without room gets nothing until it resumes")
    func stalled() {
        var state = live(after: "1-1")
        #expect(state.resume() == .nothing, "it is live")
        #expect(state.push(id("1-2")) == .deliver)
        state.stall()
        #expect(state.push(id("1-3")) == .nothing && state.catchUp(to: id("1-3")) == .nothing)
        #expect(!state.isCaughtUp)
        #expect(state.resume() == page("1-1", 5))
        #expect(deliver([head("1-1"), head("1-2"), head("1-3")], &state) == .nothing)
    }

    @Test("a read that Redis does not answer is repeated when it is due, a loss that was not noted likewise")
    func retrying() {
        var state = live(after: "1-1")
        #expect(state.catchUp(to: id("1-2")) == page("1-1", 5))
        state.didFail(retryAt: 100)
        #expect(state.retry(now: 99) == .nothing && state.push(id("1-2")) == .nothing)
        #expect(state.retry(now: 100) == page("1-1", 5))
        _ = action([head("1-1", "other")], &state)
        state.didFail(retryAt: 200)
        #expect(state.startOver() == .nothing)
        #expect(state.retry(now: 200) == page("1-1", 5))
    }

    @Test("nothing follows the end")
    func ended() {
        var state = live(after: "1-1")
        _ = state.push(id("1-3"))
        state.end()
        #expect(action([head("1-1"), head("1-2")], &state) == .nothing)
        state.didFail(retryAt: 0)
        #expect(state.push(id("1-2")) == .nothing && state.read() == .nothing && state.resume() == .nothing)
        #expect(
            state.retry(now: 1) == .nothing && state.compare(with: nil) == .nothing && state.startOver() == .nothing
        )
    }
}
