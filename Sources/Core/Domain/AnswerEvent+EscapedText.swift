extension AnswerEvent {
    /// What surrounds the escaped text in the data of `token` and `reasoning`: `{"text":"…"}`, without white space and
    /// without further members.
    ///
    /// Every release stores them so.
    package static let textPrefix = Array(#"{"text":""#.utf8)
    package static let textSuffix = Array(#""}"#.utf8)

    /// The text of a `token` or `reasoning` event as the inside of a JSON string, escaped as it is stored; nil for other
    /// events and for data of another form.
    ///
    /// An encoder splices it into JSON of its own between two quotation marks, without parsing it. Only prefix and suffix
    /// are compared. The slice shares the event's memory.
    package var escapedText: ArraySlice<UInt8>? {
        switch name {
        case .token, .reasoning: break
        case .queued, .started, .restarted, .reset, .completed, .failed, .cancelled: return nil
        }
        let (start, end) = (Self.textPrefix.count, data.count - Self.textSuffix.count)
        guard start <= end, data[..<start].elementsEqual(Self.textPrefix),
            data[end...].elementsEqual(Self.textSuffix)
        else { return nil }
        return data[start..<end]
    }
}
