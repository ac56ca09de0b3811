package import Shared
internal import Telemetry

/// The system's time of day.
package struct SystemClock: WallClock {
    package init() {}

    package func now() -> Timestamp {
        Timestamp(milliseconds: UnixTime.microseconds / 1000)
    }
}
