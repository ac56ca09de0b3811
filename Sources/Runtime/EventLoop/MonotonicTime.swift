internal import CUV

/// The host's monotonic clock (`CLOCK_MONOTONIC`), the same on all threads; it does not count suspended time.
package enum MonotonicTime {
    /// Nanoseconds since an arbitrary moment, now.
    package static var nanoseconds: Int64 { Int64(uv_hrtime()) }
}
