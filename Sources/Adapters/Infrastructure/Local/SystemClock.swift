package import Shared
internal import Time

/// The system's time of day.
package struct SystemClock: WallClock {
    package init() {}

    package func now() -> Timestamp { Timestamp(milliseconds: UnixTime.milliseconds) }
}
