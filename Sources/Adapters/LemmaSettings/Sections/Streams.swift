internal import Settings

extension Configuration {
    /// Streams to clients.
    package struct Stream: Sendable {
        /// `STREAM_TTL_LIVE`.
        package var ttlLive: Duration
        /// `STREAM_TTL_DONE`.
        package var ttlDone: Duration
        /// `SSE_HEARTBEAT`.
        package var heartbeat: Duration
        /// `SSE_BUFFER_LIMIT`, in bytes.
        package var bufferBytesMax: Int
        /// `DISCONNECT_GRACE`.
        package var disconnectGrace: Duration
    }
}

extension Configuration.Stream {
    init(_ reader: SettingReader) {
        ttlLive = reader.value(
            "STREAM_TTL_LIVE",
            .duration(from: .seconds(1)),
            default: "1h",
            "Expiry of a request's keys while it runs; renewed."
        )
        ttlDone = reader.value(
            "STREAM_TTL_DONE",
            .duration(from: .seconds(1)),
            default: "10m",
            "Expiry of a request's keys after its end."
        )
        heartbeat = reader.value(
            "SSE_HEARTBEAT",
            .duration(from: .milliseconds(10)),
            default: "15s",
            "Interval of the comments, or pings, that keep a connection alive."
        )
        bufferBytesMax = reader.value(
            "SSE_BUFFER_LIMIT",
            .bytes(1024...(1 << 30)),
            default: "256KiB",
            "Bytes buffered for one slow reader before its events are read from Redis instead."
        )
        disconnectGrace = reader.value(
            "DISCONNECT_GRACE",
            .duration(from: .zero),
            default: "10s",
            "Time without a viewer after which `onDisconnect: cancel` cancels the request."
        )
    }
}
