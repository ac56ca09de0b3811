/// One client's stream of server-sent events.
final class SSEViewer: HTTPEventViewer {
    var encoder = SSEEncoder()
    var delivery: HTTPDelivery

    init(_ delivery: HTTPDelivery) { self.delivery = delivery }
}
