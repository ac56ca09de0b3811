import TestSupport
import Testing

@testable import HTTPServer

private typealias Exchange = HTTPConnectionState.Exchange
private typealias Phase = HTTPConnectionState.Phase

private let kept = Exchange(isHead: false, isHTTP11: true, keepsAlive: true)
private let last = Exchange(isHead: false, isHTTP11: true, keepsAlive: false)
private let keptHead = Exchange(isHead: true, isHTTP11: true, keepsAlive: true)
private let lastHead = Exchange(isHead: true, isHTTP11: true, keepsAlive: false)
private let old = Exchange(isHead: false, isHTTP11: false, keepsAlive: false)

private let phases: [Phase] = [
    .opened, .idle, .blocked, .head, .body, .responding(kept), .streaming(kept, .serverClosed), .upgraded, .closing,
    .closed,
]

/// Everything that can happen to a state.
private enum Step: Equatable, CaseIterable {
    case bytes
    case bytesWhileOutputIsFull
    case headCompleted
    case requestCompleted
    case respond
    case startStream
    case upgrade
    case closed
    case failed
    case refused
    case streamEnded
    case backlogFilled
    case backlogEmptied
    case outputHasRoom
    case outputDrained
    case peerEnded
    case peerEndedBeforeStream
    case deadlinePassed
    case deadlinePassedWithOutput
    case stalled
    case drainBegan

    /// What the state returns, as one type.
    enum Outcome: Equatable {
        case intake(HTTPConnectionState.Intake)
        case response(HTTPConnectionState.Exchange?)
        case isUpgraded(Bool)
        case loss(StreamLoss)
        case action(HTTPConnectionState.Action)
        case nothing
    }

    func callAsFunction(_ state: inout HTTPConnectionState, _ exchange: HTTPConnectionState.Exchange) -> Outcome {
        switch self {
        case .bytes: return .intake(state.bytesArrived(isOutputFull: false))
        case .bytesWhileOutputIsFull: return .intake(state.bytesArrived(isOutputFull: true))
        case .headCompleted:
            state.headCompleted()
            return .nothing
        case .requestCompleted:
            state.requestCompleted(exchange)
            return .nothing
        case .respond: return .response(state.respond())
        case .startStream: return .response(state.startStream())
        case .upgrade: return .isUpgraded(state.upgrade())
        case .closed: return .loss(state.close(isFailure: false))
        case .failed: return .loss(state.close(isFailure: true))
        case .refused: return .action(state.on(.refused(.malformedHeader)))
        case .streamEnded: return .action(state.on(.streamEnded))
        case .backlogFilled: return .action(state.on(.backlogFilled))
        case .backlogEmptied: return .action(state.on(.backlogEmptied))
        case .outputHasRoom: return .action(state.on(.outputHasRoom))
        case .outputDrained: return .action(state.on(.outputDrained))
        case .peerEnded: return .action(state.on(.peerEnded))
        case .peerEndedBeforeStream: return .action(state.on(.peerEndedBeforeStream))
        case .deadlinePassed: return .action(state.on(.deadlinePassed(isOutputEmpty: true)))
        case .deadlinePassedWithOutput: return .action(state.on(.deadlinePassed(isOutputEmpty: false)))
        case .stalled: return .action(state.on(.stalled))
        case .drainBegan: return .action(state.on(.drainBegan))
        }
    }
}

/// One step in every phase: the outcome and the next phase where they are listed, else `otherwise` and the same phase.
private struct Rule: Sendable, CustomTestStringConvertible {
    let step: Step
    let otherwise: Step.Outcome
    let changes: [(phase: Phase, outcome: Step.Outcome, next: Phase)]
    var input = HTTPConnectionState.Input.reading
    var nextInput = HTTPConnectionState.Input.reading
    var isDraining = false

    init(_ step: Step, otherwise: Step.Outcome, _ changes: [(phase: Phase, outcome: Step.Outcome, next: Phase)]) {
        self.step = step
        self.otherwise = otherwise
        self.changes = changes
    }

    /// The rule for another input; the input changes only with `nextInput`.
    func input(
        _ input: HTTPConnectionState.Input,
        next: HTTPConnectionState.Input? = nil
    ) -> Rule {
        var rule = self
        (rule.input, rule.nextInput) = (input, next ?? input)
        return rule
    }

    func draining() -> Rule {
        var rule = self
        rule.isDraining = true
        return rule
    }

    var testDescription: String { "\(step), \(input)\(isDraining ? ", draining" : "")" }
}

private let byteRules = [
    Rule(
        .bytes,
        otherwise: .intake(.store),
        [
            (.opened, .intake(.parse), .head), (.idle, .intake(.parse), .head), (.head, .intake(.parse), .head),
            (.body, .intake(.parse), .body), (.upgraded, .intake(.forward), .upgraded),
            (.closing, .intake(.drop), .closing), (.closed, .intake(.drop), .closed),
        ]
    ),
    Rule(
        .bytesWhileOutputIsFull,
        otherwise: .intake(.store),
        [
            (.opened, .intake(.storeUntilRoom), .blocked), (.idle, .intake(.storeUntilRoom), .blocked),
            (.head, .intake(.parse), .head), (.body, .intake(.parse), .body),
            (.upgraded, .intake(.forward), .upgraded), (.closing, .intake(.drop), .closing),
            (.closed, .intake(.drop), .closed),
        ]
    ),
    Rule(.headCompleted, otherwise: .nothing, [(.head, .nothing, .body)]),
    Rule(
        .requestCompleted,
        otherwise: .nothing,
        [(.head, .nothing, .responding(kept)), (.body, .nothing, .responding(kept))]
    ),
    Rule(
        .refused,
        otherwise: .action(.none),
        [
            (.head, .action(.refuse(.malformedHeader)), .closing),
            (.body, .action(.refuse(.malformedHeader)), .closing),
        ]
    ),
]

private let responseRules = [
    Rule(.respond, otherwise: .response(nil), [(.responding(kept), .response(kept), .idle)]),
    Rule(.respond, otherwise: .response(nil), [(.responding(kept), .response(last), .closing)]).draining(),
    Rule(
        .startStream,
        otherwise: .response(nil),
        [(.responding(kept), .response(kept), .streaming(kept, .serverClosed))]
    ),
    Rule(
        .startStream,
        otherwise: .response(nil),
        [(.responding(kept), .response(last), .streaming(last, .serverClosed))]
    ).draining(),
    Rule(.upgrade, otherwise: .isUpgraded(false), [(.responding(kept), .isUpgraded(true), .upgraded)]),
    Rule(
        .streamEnded,
        otherwise: .action(.none),
        [(.streaming(kept, .serverClosed), .action(.readBacklog), .idle)]
    ),
    Rule(
        .streamEnded,
        otherwise: .action(.none),
        [(.streaming(kept, .serverClosed), .action(.finish), .closing)]
    ).draining(),
    Rule(.outputHasRoom, otherwise: .action(.none), [(.blocked, .action(.readBacklog), .idle)]),
    Rule(
        .outputDrained,
        otherwise: .action(.none),
        [
            (.streaming(kept, .serverClosed), .action(.notifyWriter), .streaming(kept, .serverClosed)),
            (.upgraded, .action(.notifyOwner(.outputDrained)), .upgraded),
        ]
    ),
]

private let endOfInput: [(phase: Phase, outcome: Step.Outcome, next: Phase)] = [
    (.opened, .action(.finish), .closing), (.idle, .action(.finish), .closing),
    (.head, .action(.refuse(.truncated)), .closing), (.body, .action(.refuse(.truncated)), .closing),
    (.upgraded, .action(.notifyOwner(.peerEnded)), .upgraded),
]

private let clientLeft: (phase: Phase, outcome: Step.Outcome, next: Phase) = (
    .streaming(kept, .serverClosed), .action(.close), .streaming(kept, .clientLeft)
)

private let inputRules = [
    Rule(.backlogFilled, otherwise: .action(.pauseReading), []).input(.reading, next: .paused),
    Rule(.backlogFilled, otherwise: .action(.none), []).input(.paused),
    Rule(.backlogFilled, otherwise: .action(.none), []).input(.ended),
    Rule(.backlogEmptied, otherwise: .action(.none), []),
    Rule(.backlogEmptied, otherwise: .action(.none), endOfInput).input(.ended),
    Rule(.peerEnded, otherwise: .action(.none), endOfInput + [clientLeft]).input(.reading, next: .ended),
    Rule(.peerEnded, otherwise: .action(.none), endOfInput + [clientLeft]).input(.paused, next: .ended),
    Rule(.peerEnded, otherwise: .action(.none), []).input(.ended),
    Rule(.peerEndedBeforeStream, otherwise: .action(.none), [clientLeft]).input(.ended),
]

private let endRules = [
    Rule(
        .deadlinePassed,
        otherwise: .action(.none),
        [
            (.opened, .action(.close), .opened), (.idle, .action(.close), .idle),
            (.head, .action(.refuse(.timedOut)), .closing), (.body, .action(.refuse(.timedOut)), .closing),
        ]
    ),
    Rule(
        .deadlinePassedWithOutput,
        otherwise: .action(.none),
        [
            (.head, .action(.refuse(.timedOut)), .closing), (.body, .action(.refuse(.timedOut)), .closing),
        ]
    ),
    Rule(
        .stalled,
        otherwise: .action(.closeStalled(.responseStall)),
        [
            (
                .streaming(kept, .serverClosed), .action(.closeStalled(.streamStall)), .streaming(kept, .stalled)
            ), (.upgraded, .action(.closeStalled(.streamStall)), .upgraded),
            (.closed, .action(.none), .closed),
        ]
    ),
    Rule(.closed, otherwise: .loss(.serverClosed), phases.map { ($0, .loss(.serverClosed), .closed) }),
    Rule(.failed, otherwise: .loss(.failed), phases.map { ($0, .loss(.failed), .closed) }),
]

@Suite("HTTP connection: the state", .tags(.unit))
struct HTTPConnectionStateTests {
    @Test(
        "Each event in each phase has the outcome of the table",
        arguments: [byteRules, responseRules, inputRules, endRules].joined().map(\.self)
    )
    fileprivate func table(_ rule: Rule) {
        for phase in phases {
            var state = HTTPConnectionState(phase: phase, input: rule.input, isDraining: rule.isDraining)
            let outcome = rule.step(&state, kept)
            let change = rule.changes.first { $0.phase == phase }
            #expect(outcome == change?.outcome ?? rule.otherwise, "in \(phase)")
            let next = HTTPConnectionState(
                phase: change?.next ?? phase,
                input: rule.nextInput,
                isDraining: rule.isDraining,
            )
            #expect(state == next, "from \(phase)")
        }
    }

    @Test("An empty backlog resumes reading where a request may follow, and only there")
    func resumes() {
        for phase in phases {
            var state = HTTPConnectionState(phase: phase, input: .paused)
            let resumes = [.opened, .idle, .head, .body, .upgraded].contains(phase)
            #expect(state.on(.backlogEmptied) == (resumes ? .resumeReading : .none), "in \(phase)")
            #expect(state == HTTPConnectionState(phase: phase, input: resumes ? .reading : .paused))
        }
    }

    @Test("A drain closes an idle connection, notifies an owner, and lasts")
    func drain() {
        for phase in phases {
            var state = HTTPConnectionState(phase: phase)
            let action = state.on(.drainBegan)
            let (expected, next): (HTTPConnectionState.Action, Phase) =
                switch phase {
                case .idle: (.finish, .closing)
                case .upgraded: (.notifyOwner(.drainBegan), .upgraded)
                case .opened, .blocked, .head, .body, .responding, .streaming, .closing, .closed: (.none, phase)
                }
            #expect(action == expected, "in \(phase)")
            #expect(state == HTTPConnectionState(phase: next, isDraining: true))
        }
    }

    @Test("A response ends its connection where the request says so, and a response to HEAD is complete with its head")
    func responses() {
        var state = HTTPConnectionState(phase: .responding(last))
        #expect(state.respond() == last)
        #expect(state.phase == .closing)
        for (exchange, next) in [(keptHead, Phase.idle), (lastHead, .closing)] {
            state = HTTPConnectionState(phase: .responding(exchange))
            #expect(state.startStream() == exchange)
            #expect(state.phase == next)
        }
        state = HTTPConnectionState(phase: .responding(old))
        #expect(state.startStream() == old)
        #expect(state.phase == .streaming(old, .serverClosed))
        #expect(state.on(.streamEnded) == .finish)
        #expect(state.phase == .closing)
    }

    @Test(
        "The writer of a stream is given the first reason for its end, unless the connection broke",
        arguments: [
            (StreamLoss.clientLeft, false, StreamLoss.clientLeft), (.stalled, false, .stalled),
            (.serverClosed, false, .serverClosed), (.clientLeft, true, .failed),
        ]
    )
    func losses(_ reason: StreamLoss, _ isFailure: Bool, _ reported: StreamLoss) {
        var state = HTTPConnectionState(phase: .streaming(kept, reason))
        #expect(state.close(isFailure: isFailure) == reported)
        #expect(state.phase == .closed)
    }

    @Test("Each phase that waits for the client has a limit, and the others none")
    func timeLimits() {
        let limits = phases.map { HTTPConnectionState(phase: $0).timeLimit }
        #expect(limits == [.firstRequest, .nextRequest, nil, .head, .body, nil, nil, nil, nil, nil])
        let draining = phases.map { HTTPConnectionState(phase: $0, isDraining: true).timeLimit }
        #expect(draining == [.firstRequestInDrain] + limits.dropFirst())
    }

    @Test("Every phase can be reached from the start, and no step leaves a closed connection")
    func reachable() {
        var reached = [HTTPConnectionState()]
        var next = 0
        while next < reached.count {
            for step in Step.allCases {
                for exchange in [kept, last, keptHead, lastHead, old] {
                    var state = reached[next]
                    _ = step(&state, exchange)
                    if reached[next].phase == .closed { #expect(state.phase == .closed) }
                    if !reached.contains(state) { reached.append(state) }
                }
            }
            next += 1
        }
        for phase in phases { #expect(reached.contains { $0.phase == phase }, "\(phase)") }
    }
}
