internal import Synchronization
internal import Text

/// Counts the open connections of each client address, on all loops of one server.
///
/// Bounded by the connections: an address without one has no entry. An address counts as ``Text/ClientNetwork`` does.
final class AddressConnections: Sendable {
    private let connectionsMax: Int
    private let isExempt: @Sendable (_ address: String) -> Bool
    private let counts = Mutex<[ClientNetwork: Int]>([:])

    init(connectionsMax: Int, isExempt: @escaping @Sendable (_ address: String) -> Bool) {
        self.connectionsMax = connectionsMax
        self.isExempt = isExempt
    }

    /// What one connection occupies.
    enum Place {
        /// Nothing: the address is exempt, or not known any more.
        case uncounted
        /// To be given back by ``close(_:)``.
        case counted(ClientNetwork)
    }

    /// Counts a new connection; nil where its address has as many as it may.
    func open(_ address: String) -> Place? {
        guard let network = ClientNetwork(address), !isExempt(address) else { return .uncounted }
        let isOpen = counts.withLock { counts in
            let count = counts[network, default: 0]
            guard count < connectionsMax else { return false }
            counts[network] = count + 1
            return true
        }
        return isOpen ? .counted(network) : nil
    }

    /// To be called once for each place.
    func close(_ place: Place) {
        guard case .counted(let network) = place else { return }
        counts.withLock { counts in
            let rest = counts[network, default: 1] - 1
            counts[network] = rest > 0 ? rest : nil
        }
    }

    /// Addresses that are counted.
    var addressCount: Int { counts.withLock { $0.count } }
}
