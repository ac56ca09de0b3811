internal import Console
internal import HTTPClient
internal import ServerSentEvents
internal import Text

/// One response to a request for a stream, while it arrives.
final class StreamResponse {
    private static let problemBytesMax = 64 * 1024

    private(set) var head: HTTPClientResponse?
    private(set) var decoder: ServerSentEventDecoder
    /// The body of a response that is no stream.
    private(set) var problem: [UInt8] = []
    /// Set by a terminal event.
    private(set) var exitCode: ExitCode?
    private(set) var outputError: OutputError?
    private(set) var streamError: ServerSentEventError?
    var transportError: HTTPClientError?

    init(lastEventID: String) { decoder = ServerSentEventDecoder(lastEventID: lastEventID) }

    func begin(_ response: HTTPClientResponse) -> HTTPReadDecision {
        head = response
        return .proceed
    }

    /// Takes a piece of the body and lets `show` see its events, up to a terminal one.
    func take(
        _ bytes: Span<UInt8>,
        _ show: (ServerSentEvent) throws(OutputError) -> ExitCode?
    ) -> HTTPReadDecision {
        guard head?.status == 200 else {
            problem.append(copying: bytes.extracting(first: min(Self.problemBytesMax - problem.count, bytes.count)))
            return .proceed
        }
        do throws(ServerSentEventError) {
            try decoder.decode(bytes) { event in
                guard exitCode == nil, outputError == nil else { return }
                do throws(OutputError) { exitCode = try show(event) } catch { outputError = error }
            }
        } catch {
            streamError = error
        }
        return exitCode == nil && outputError == nil && streamError == nil ? .proceed : .stop
    }
}
