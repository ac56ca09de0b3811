internal import Application
internal import Shared
internal import Time

extension StrictObject {
    /// Checks `exp` and `nbf` (RFC 7519, section 4.1) of a token; `skew` is by how much the clock of who issued it may
    /// differ.
    ///
    /// A token without an end is not accepted.
    func checkTimes(at now: Timestamp, skew: Duration) throws(AccessTokenFault) {
        let skew = skew.wholeMilliseconds
        guard let end = time("exp"), !has("nbf") || time("nbf") != nil else { throw .claims }
        guard now.milliseconds < end.milliseconds + skew else { throw .expired }
        guard (time("nbf")?.milliseconds ?? .min) <= now.milliseconds + skew else { throw .notYetValid }
    }
}
