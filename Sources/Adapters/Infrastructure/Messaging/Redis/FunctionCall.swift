internal import RedisClient

/// A call of a library function: its keys, its arguments and its reply as values.
///
/// The Swift side of a header in `Functions/`: `Calls/` has a file for each file there, with the calls in the same order.
/// The one exception is `append`, which the answer writer formats itself for speed.
protocol FunctionCall {
    associatedtype Argument: RedisArgument
    associatedtype Reply

    static var function: FunctionLibrary.Function { get }
    /// The partition of all keys.
    var partition: Int { get }
    /// In the order of KEYS in the header.
    var keys: [String] { get }
    /// In the order of ARGV in the header.
    var arguments: [Argument] { get }

    func decode(_ reply: RedisValue) throws(UnexpectedReply) -> Reply
}

/// A reply that the function does not return.
struct UnexpectedReply: Error {}

extension RedisValue {
    /// The number of an integer reply, or of a text that is a number.
    func number() throws(UnexpectedReply) -> Int {
        guard let integer else { throw UnexpectedReply() }
        return integer
    }

    func text() throws(UnexpectedReply) -> String {
        guard let string else { throw UnexpectedReply() }
        return string
    }

    func list() throws(UnexpectedReply) -> [RedisValue] {
        guard let array else { throw UnexpectedReply() }
        return array
    }

    /// The elements of a list that has at least `count`.
    func list(ofAtLeast count: Int) throws(UnexpectedReply) -> [RedisValue] {
        let elements = try list()
        guard elements.count >= count else { throw UnexpectedReply() }
        return elements
    }
}
