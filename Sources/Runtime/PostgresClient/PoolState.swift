/// The connections and the waiting callers of a ``PostgresPool`` as a value: it takes an event and returns the actions
/// to execute, in order.
///
/// A connection:
/// ```
/// state                  event                            next state      actions
/// none                   a caller waits, below the limit  opening         open
/// opening                opened                           leased or idle  grant to the longest waiting caller
/// opening                openFailed                       gone            fail all waiting callers, unless another
///                                                                         connection is opening, leased or probing
/// idle                   lease                            leased          grant
/// idle                   sweep, unused for `closeAfter`   ending          close, except the most recently used
/// idle                   sweep, unused for `probeAfter`   probing         probe
/// leased                 released                         leased or idle  grant to the longest waiting caller
/// leased                 abandoned                        ending          cancel, open for waiting callers
/// probing                probed: healthy, refused         leased or idle  grant to the longest waiting caller
/// probing                probed: busy                     ending (lost)   close, open for waiting callers
/// idle, leased, probing  close                            ending          close
/// opening                opened after close               ending          close
/// any but opening        ended                            gone            reportEnded, open for waiting callers
/// ```
/// A caller waits from `lease` until `grant`, `fail` (limit of callers, deadline, failed connection, closed pool) or its
/// cancellation. Invariants after each event: no caller waits while a connection is idle; all connections together are
/// at most the limit; while a caller waits, a connection is opening, leased or probing, or the limit is reached.
struct PoolState {
    struct ConnectionID: Hashable {
        let number: Int
    }

    struct CallerID: Hashable {
        let number: Int
    }

    struct Limits {
        /// At least 1.
        var connectionsMax: Int
        var callersMax: Int
        var probeAfter: Duration
        var closeAfter: Duration
    }

    enum Event {
        /// A caller needs a connection.
        case lease(CallerID)
        case deadlinePassed(CallerID)
        case cancelled(CallerID)
        case opened(ConnectionID, now: ContinuousClock.Instant)
        case openFailed(ConnectionID, PostgresError)
        /// A caller is done with its connection, which is ready for the next one.
        case released(ConnectionID, now: ContinuousClock.Instant)
        /// A caller left while its statement is under way.
        case abandoned(ConnectionID)
        case probed(ConnectionID, ProbeResult, now: ContinuousClock.Instant)
        /// The connection has closed, for whatever reason.
        case ended(ConnectionID)
        case sweep(now: ContinuousClock.Instant)
        case close
    }

    enum ProbeResult {
        case healthy
        /// The server returned an error, but the connection is ready for the next batch.
        case refused
        /// The probe is still under way after its deadline.
        case busy
    }

    enum Action: Equatable {
        /// ``Event/opened(_:now:)`` or ``Event/openFailed(_:_:)`` follows.
        case open(ConnectionID)
        case grant(ConnectionID, to: CallerID)
        case fail(CallerID, PostgresError)
        /// ``Event/probed(_:_:now:)`` or ``Event/ended(_:)`` follows.
        case probe(ConnectionID)
        /// Cancel the statement on the server, then close the connection.
        case cancel(ConnectionID)
        /// ``Event/ended(_:)`` follows.
        case close(ConnectionID)
        /// `isLost` where the connection broke by itself.
        case reportEnded(isLost: Bool)
    }

    fileprivate enum Phase {
        case opening
        case idle(since: ContinuousClock.Instant)
        case leased
        case probing(idleSince: ContinuousClock.Instant)
        /// Out of use, and not closed yet; `isLost` where the server does not respond.
        case ending(isLost: Bool)
    }

    private struct Connection {
        let id: ConnectionID
        var phase: Phase
    }

    private let limits: Limits
    private var connections: [Connection] = []
    /// The longest waiting first.
    private var waiting: [CallerID] = []
    private var numbers = 0
    private(set) var isClosed = false

    init(_ limits: Limits) { self.limits = limits }

    /// Connections in all states.
    var connectionCount: Int { connections.count }

    var idleCount: Int { connections.count { $0.phase.isIdle } }

    /// Connections that are leased or probing.
    var inUseCount: Int { connections.count { $0.phase.isInUse } }

    var openingCount: Int { connections.count { $0.phase.isOpening } }

    var waitingCount: Int { waiting.count }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .lease(let caller): lease(caller)
        case .deadlinePassed(let caller): deadlinePassed(caller)
        case .cancelled(let caller): cancelled(caller)
        case .opened(let id, let now): opened(id, now)
        case .openFailed(let id, let error): openFailed(id, error)
        case .released(let id, let now): released(id, now)
        case .abandoned(let id): abandoned(id)
        case .probed(let id, let result, let now): probed(id, result, now)
        case .ended(let id): ended(id)
        case .sweep(let now): sweep(now)
        case .close: close()
        }
    }
}

// MARK: Callers

extension PoolState {
    private mutating func lease(_ caller: CallerID) -> [Action] {
        guard !isClosed else { return [.fail(caller, .closed)] }
        if let index = mostRecentlyUsed {
            connections[index].phase = .leased
            return [.grant(connections[index].id, to: caller)]
        }
        guard waiting.count < limits.callersMax else { return [.fail(caller, .exhausted)] }
        waiting.append(caller)
        return openForWaiting()
    }

    private mutating func deadlinePassed(_ caller: CallerID) -> [Action] {
        removeWaiting(caller) ? [.fail(caller, .exhausted)] : []
    }

    private mutating func cancelled(_ caller: CallerID) -> [Action] {
        _ = removeWaiting(caller)
        return []
    }

    /// False where the caller does not wait any more.
    private mutating func removeWaiting(_ caller: CallerID) -> Bool {
        guard let index = waiting.firstIndex(of: caller) else { return false }
        waiting.remove(at: index)
        return true
    }

    private mutating func failWaiting(_ error: PostgresError) -> [Action] {
        defer { waiting = [] }
        return waiting.map { .fail($0, error) }
    }
}

// MARK: Connections

extension PoolState {
    private var mostRecentlyUsed: Int? {
        idle.max { $0.since < $1.since }?.index
    }

    private var idle: [(index: Int, since: ContinuousClock.Instant)] {
        connections.indices.compactMap { index in connections[index].phase.idleSince.map { (index, $0) } }
    }

    /// Opens a connection for each waiting caller, up to the limit.
    private mutating func openForWaiting() -> [Action] {
        var actions: [Action] = []
        while !isClosed, openingCount < waiting.count, connections.count < limits.connectionsMax {
            numbers += 1
            let id = ConnectionID(number: numbers)
            connections.append(Connection(id: id, phase: .opening))
            actions.append(.open(id))
        }
        return actions
    }

    private mutating func opened(_ id: ConnectionID, _ now: ContinuousClock.Instant) -> [Action] {
        guard let index = index(of: id), connections[index].phase.isOpening else { return [] }
        return offer(index, idleSince: now)
    }

    private mutating func openFailed(_ id: ConnectionID, _ error: PostgresError) -> [Action] {
        guard let index = index(of: id), connections[index].phase.isOpening else { return [] }
        connections.remove(at: index)
        // A connection in use is released in time; without one, waiting is futile.
        return inUseCount == 0 && openingCount == 0 ? failWaiting(error) : []
    }

    private mutating func released(_ id: ConnectionID, _ now: ContinuousClock.Instant) -> [Action] {
        guard let index = index(of: id), case .leased = connections[index].phase else { return [] }
        return offer(index, idleSince: now)
    }

    private mutating func abandoned(_ id: ConnectionID) -> [Action] {
        guard let index = index(of: id), case .leased = connections[index].phase else { return [] }
        connections[index].phase = .ending(isLost: false)
        return [.cancel(id)] + openForWaiting()
    }

    private mutating func probed(
        _ id: ConnectionID,
        _ result: ProbeResult,
        _ now: ContinuousClock.Instant,
    ) -> [Action] {
        guard let index = index(of: id), case .probing(let idleSince) = connections[index].phase else { return [] }
        switch result {
        // A probe is not a use: the connection keeps its age.
        case .healthy: return offer(index, idleSince: idleSince)
        case .refused: return offer(index, idleSince: now)
        case .busy: return end(index, isLost: true) + openForWaiting()
        }
    }

    /// The ended connection no longer counts when its place goes to a waiting caller.
    private mutating func ended(_ id: ConnectionID) -> [Action] {
        guard let index = index(of: id) else { return [] }
        let phase = connections.remove(at: index).phase
        return [.reportEnded(isLost: !isClosed && phase.isLostWhenEnded)] + openForWaiting()
    }

    private mutating func sweep(_ now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        let newest = mostRecentlyUsed
        for (index, since) in idle.sorted(by: { $0.since < $1.since }) {
            if index != newest, now - since >= limits.closeAfter {
                actions += end(index)
            } else if now - since >= limits.probeAfter {
                connections[index].phase = .probing(idleSince: since)
                actions.append(.probe(connections[index].id))
            }
        }
        return actions
    }

    private mutating func close() -> [Action] {
        guard !isClosed else { return [] }
        isClosed = true
        var actions = failWaiting(.closed)
        for index in connections.indices where connections[index].phase.isIdle || connections[index].phase.isInUse {
            actions += end(index)
        }
        return actions
    }

    /// Grants a connection to the longest waiting caller, or makes it idle.
    private mutating func offer(_ index: Int, idleSince: ContinuousClock.Instant) -> [Action] {
        guard !isClosed else { return end(index) }
        guard !waiting.isEmpty else {
            connections[index].phase = .idle(since: idleSince)
            return []
        }
        connections[index].phase = .leased
        return [.grant(connections[index].id, to: waiting.removeFirst())]
    }

    private mutating func end(_ index: Int, isLost: Bool = false) -> [Action] {
        connections[index].phase = .ending(isLost: isLost)
        return [.close(connections[index].id)]
    }

    private func index(of id: ConnectionID) -> Int? { connections.firstIndex { $0.id == id } }
}

extension PoolState.Phase {
    fileprivate var isOpening: Bool {
        switch self {
        case .opening: true
        case .idle, .leased, .probing, .ending: false
        }
    }

    fileprivate var isInUse: Bool {
        switch self {
        case .leased, .probing: true
        case .opening, .idle, .ending: false
        }
    }

    fileprivate var isIdle: Bool { idleSince != nil }

    /// True where the pool has not closed the connection itself.
    fileprivate var isLostWhenEnded: Bool {
        switch self {
        case .idle, .leased, .probing: true
        case .ending(let isLost): isLost
        case .opening: false
        }
    }

    fileprivate var idleSince: ContinuousClock.Instant? {
        switch self {
        case .idle(let since): since
        case .opening, .leased, .probing, .ending: nil
        }
    }
}
