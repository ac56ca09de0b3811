/// What a client may choose about one solve.
package struct SolveOptions: Sendable, Hashable {
    /// What happens to the request when its last viewer has gone.
    package enum OnDisconnect: String, Sendable, CaseIterable {
        case `continue`
        case cancel
    }

    /// What happens when the conversation already has a request running.
    package enum OnBusy: String, Sendable, CaseIterable {
        case enqueue
        case reject
        case interrupt
    }

    /// Sampling temperature, 0…2; nil leaves it to the provider.
    package var temperature: Double?
    /// Limit of the answer in provider tokens, 1…32,768; nil leaves it to the provider.
    package var maxOutputTokens: Int?
    package var onDisconnect: OnDisconnect
    package var onBusy: OnBusy

    package init(
        temperature: Double? = nil,
        maxOutputTokens: Int? = nil,
        onDisconnect: OnDisconnect = .continue,
        onBusy: OnBusy = .enqueue
    ) {
        self.temperature = temperature
        self.maxOutputTokens = maxOutputTokens
        self.onDisconnect = onDisconnect
        self.onBusy = onBusy
    }
}
