/// One client's stream of server-sent events.
final class SSEViewer: HTTPEventViewer {
    var encoder = SSEEncoder()
    let response: ViewerResponse

    init(_ response: ViewerResponse) { self.response = response }
}
