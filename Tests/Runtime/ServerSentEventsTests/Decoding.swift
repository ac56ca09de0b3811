import ServerSentEvents

extension ServerSentEventDecoder {
    /// Decodes bytes of any collection.
    mutating func decode(
        _ bytes: some Collection<UInt8>,
        _ onEvent: (ServerSentEvent) -> Void
    ) throws(ServerSentEventError) {
        let bytes = Array(bytes)
        try decode(bytes.span, onEvent)
    }
}
