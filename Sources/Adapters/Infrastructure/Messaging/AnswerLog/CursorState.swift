internal import Shared

/// Where one viewer is in its request's log, and what its ``ViewerCursor`` does next: a value without I/O.
///
/// | phase    | push                      | page read                     | resume    | reset noted |
/// |----------|---------------------------|-------------------------------|-----------|-------------|
/// | waiting  | noted                     | –                             | –         | –           |
/// | reading  | noted                     | delivered; → live or reading  | –         | –           |
/// | live     | deliver, or read: reading | –                             | –         | –           |
/// | stalled  | noted                     | –                             | → reading | –           |
/// | retrying | noted                     | –                             | –         | –           |
/// | lost     | noted                     | –                             | –         | → reading   |
/// | ended    | –                         | –                             | –         | –           |
///
/// A viewer first reads what is stored, then takes pushes, and reads again where the ids show a gap. Each read begins with
/// the cursor's own event: where that is missing or has other data, the store has lost history.
struct CursorState {
    enum Phase: Equatable {
        /// The subscription is not confirmed yet.
        case waiting
        /// A page is being read.
        case reading
        case live
        /// The viewer has no room.
        case stalled
        /// Redis did not answer a read; the next attempt is at this loop time.
        case retrying(Int64)
        /// The store has lost what the viewer has, which is noted in the store before the viewer gets a `reset`.
        case lost
        case ended
    }

    /// What follows from an event.
    enum Action: Equatable {
        case nothing
        /// Deliver the pushed event.
        case deliver
        case read(Page)
        /// Read the log's last event.
        case probe
        /// Note in the store that the event at the cursor is lost.
        case noteLoss
        /// The log is gone.
        case end
    }

    /// A range of the log.
    struct Page: Equatable {
        let from: EventID
        let events: Int
    }

    /// Events of the first page, and the bytes that later ones aim at: a viewer that takes nothing must not make a
    /// replica hold much, and one event may have 16 KiB.
    static let pageEventsFirst = 32
    static let pageBytes = 131_072
    static let pageEventsMax = 500

    private(set) var phase = Phase.waiting
    /// The newest event that was delivered, or that is left out because it is of a later version.
    private(set) var cursor: EventID
    /// The data of the cursor's event; nil where it was not delivered here.
    ///
    /// After Redis has lost events, an attempt of the same number may give the cursor's id to another event.
    private(set) var cursorData: [UInt8]?
    /// False while events of the past are being read.
    private(set) var isCaughtUp = false

    private var newestPushed: EventID
    /// The values of ``newestPushed`` when the read in flight was sent, and of ``cursor`` when the probe was: a reply says
    /// nothing about what came after its command.
    private var pushedBeforeRead: EventID
    private var cursorBeforeProbe: EventID
    /// True from the loss of the push connection, or from a read that was asked for during another, to the next read.
    private var mustRead = false
    /// Events of the next page, without the cursor's own.
    private var pageEvents = Self.pageEventsFirst
    /// Of the page that is being delivered.
    private var pageIsFull = false
    private var pageIsEmpty = false

    init(after cursor: EventID) {
        self.cursor = cursor
        newestPushed = cursor
        pushedBeforeRead = cursor
        cursorBeforeProbe = cursor
    }

    var isLive: Bool { if case .live = phase { true } else { false } }

    // MARK: Deliveries

    mutating func push(_ id: EventID) -> Action {
        newestPushed = max(newestPushed, id)
        guard case .live = phase, id > cursor else { return .nothing }
        return id.follows(cursor) && !mustRead ? .deliver : read()
    }

    /// The viewer has taken an event, or the event is left out.
    mutating func advance(to id: EventID, _ data: [UInt8]) {
        cursor = id
        cursorData = data
    }

    /// The viewer had no room for an event.
    mutating func stall() {
        phase = .stalled
        isCaughtUp = false
    }

    mutating func resume() -> Action {
        guard case .stalled = phase else { return .nothing }
        return read()
    }

    mutating func end() { phase = .ended }

    // MARK: Reading

    /// Begins to read the next page, unless that is in flight or useless.
    mutating func read() -> Action {
        switch phase {
        case .reading:
            // The reply in flight may be older than the reason for this read, such as a new push connection.
            mustRead = true
            return .nothing
        case .lost, .ended: return .nothing
        case .waiting, .live, .stalled, .retrying: break
        }
        phase = .reading
        mustRead = false
        pushedBeforeRead = newestPushed
        return .read(Page(from: cursor, events: cursor == .beginning ? pageEvents : pageEvents + 1))
    }

    /// What follows from a page.
    enum PageResult {
        /// Deliver these, then call ``didDeliverPage()``.
        case events(ArraySlice<EntryHead>)
        case action(Action)
    }

    /// Takes the entries of the page in flight.
    mutating func didRead(_ page: [EntryHead]) -> PageResult {
        guard case .reading = phase else { return .action(.nothing) }
        var entries = page[...]
        if cursor != .beginning {
            guard let first = entries.first, first.id == cursor, cursorData == nil || cursorData == first.data else {
                phase = .live
                return .action(entries.isEmpty ? .probe : lose())
            }
            entries.removeFirst()
        }
        pageIsFull = entries.count == pageEvents
        pageIsEmpty = entries.isEmpty
        adaptPage(to: entries)
        return .events(entries)
    }

    /// Every event of the page was delivered; not to be called after ``stall()`` or ``end()``.
    mutating func didDeliverPage() -> Action {
        phase = .live
        // What was pushed while the page was in flight may not be in it.
        let missesPushed = newestPushed > cursor && (!pageIsEmpty || newestPushed > pushedBeforeRead)
        if pageIsFull || missesPushed || mustRead { return read() }
        isCaughtUp = true
        return .nothing
    }

    /// Grows by doubling at most: large events may follow small ones.
    private mutating func adaptPage(to entries: ArraySlice<EntryHead>) {
        guard !entries.isEmpty else { return }
        let mean = entries.reduce(0) { $0 + $1.data.count } / entries.count
        let fitting = min(Self.pageBytes / max(mean, 1), Self.pageEventsMax)
        pageEvents = max(min(fitting, entries.count * 2), 1)
    }

    /// Redis did not answer.
    mutating func didFail(retryAt due: Int64) {
        switch phase {
        case .reading, .lost: phase = .retrying(due)
        case .waiting, .live, .stalled, .retrying, .ended: break
        }
    }

    mutating func retry(now: Int64) -> Action {
        guard case .retrying(let due) = phase, due <= now else { return .nothing }
        return read()
    }

    // MARK: Lost pushes

    mutating func didLosePushes() { mustRead = true }

    /// The store has events up to `stored`.
    mutating func catchUp(to stored: EventID) -> Action {
        guard case .live = phase, stored > cursor else { return .nothing }
        return read()
    }

    mutating func willProbe() { cursorBeforeProbe = cursor }

    /// Compares with the log's last event, as the probe found it: a later one means a lost push; an earlier one, or another
    /// of the same id, lost history; none, an expired log.
    mutating func compare(with last: EntryHead?) -> Action {
        guard case .live = phase else { return .nothing }
        guard let last else { return .end }
        if last.id > cursor { return read() }
        return last.id < cursorBeforeProbe || isAnother(last) ? lose() : .nothing
    }

    /// True for an event with the cursor's id that is not the one delivered here, which Redis has lost.
    ///
    /// It may be the log's last, such as the terminal event.
    func isAnother(_ stored: EntryHead) -> Bool {
        guard let cursorData, stored.id == cursor else { return false }
        return stored.data != cursorData
    }

    // MARK: Lost history

    /// The loss is noted before the viewer gets a `reset`: it keeps its cursor until the next event and may disconnect
    /// before it.
    ///
    /// A client that resumes from that cursor gets another `reset`, even when a new event has its id by then.
    private mutating func lose() -> Action {
        phase = .lost
        return .noteLoss
    }

    /// The loss is noted, and the viewer has its `reset`: begins with the first event.
    mutating func startOver() -> Action {
        guard case .lost = phase else { return .nothing }
        phase = .live
        isCaughtUp = false
        cursor = .beginning
        cursorData = nil
        newestPushed = .beginning
        return read()
    }
}

extension EventID {
    /// Before the first event.
    static let beginning = EventID(attempt: 0, sequence: 0)
}
