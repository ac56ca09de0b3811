internal import Domain
internal import Synchronization

/// A part of a request that some servers refuse and that an answer does not depend on.
package enum RequestPart: String, Sendable, CaseIterable {
    /// `stream_options`, which asks for the usage.
    case streamOptions = "stream_options"
    /// Instructions in a place of their own; else they go before the first problem.
    case systemRole = "system"
    case temperature
    /// The limit of the answer's length, by its older name and by its newer one.
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"

    /// True for a solve option: a refusal may be about its value alone.
    var isOption: Bool {
        switch self {
        case .streamOptions, .systemRole: false
        case .temperature, .maxTokens, .maxCompletionTokens: true
        }
    }
}

extension SolveOptions {
    /// These options without those that `parts` of a request are made of.
    func without(_ parts: Set<RequestPart>) -> SolveOptions {
        var options = self
        if parts.contains(.temperature) { options.temperature = nil }
        if !parts.isDisjoint(with: [.maxTokens, .maxCompletionTokens]) { options.maxOutputTokens = nil }
        return options
    }
}

/// What a provider's server has refused so far and is sent no more, for all loops of a process.
///
/// ```
///  sent ──refused──► tried without ──answered──► left out, for as long as the process lives
///   ▲                     │
///   └──refused again──────┘
/// ```
/// An option whose value was refused is no part of this: it is left out of that request only.
///
/// Safe from any thread.
package final class RequestShape: Sendable {
    private struct Status {
        var tried: Set<RequestPart> = []
        var confirmed: Set<RequestPart> = []
    }

    private let status = Mutex(Status())
    private let onConfirm: @Sendable (RequestPart) -> Void

    /// `onConfirm` is called once for each part that is left out for good.
    package init(onConfirm: @escaping @Sendable (RequestPart) -> Void = { _ in }) { self.onConfirm = onConfirm }

    /// What the next request goes without.
    var leftOut: Set<RequestPart> { status.withLock { $0.tried.union($0.confirmed) } }

    /// The server refused `parts`: the next requests go without them.
    func tryWithout(_ parts: Set<RequestPart>) {
        status.withLock { $0.tried.formUnion(parts.subtracting($0.confirmed)) }
    }

    /// The server refused a request without `parts`, too: they were not the cause.
    func restore(_ parts: Set<RequestPart>) { status.withLock { $0.tried.subtract(parts) } }

    /// The server answered a request without `parts`.
    func confirm(_ parts: Set<RequestPart>) {
        guard !parts.isEmpty else { return }
        let new = status.withLock { status in
            let new = status.tried.intersection(parts)
            status.tried.subtract(new)
            status.confirmed.formUnion(new)
            return new
        }
        for part in RequestPart.allCases where new.contains(part) { onConfirm(part) }
    }
}
