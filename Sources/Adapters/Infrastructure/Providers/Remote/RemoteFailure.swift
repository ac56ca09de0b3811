internal import Application
internal import Domain
internal import HTTPClient

/// Maps a failed call to a ``ProviderFailure``.
struct RemoteFailure {
    let provider: String

    /// The failure of a status other than 200.
    ///
    /// Only a 400 that names the problem as its cause is a fault of the problem; a 400 that names another status counts as
    /// that status. A failure that the next problem would meet as well is not retried.
    func status(_ status: Int, _ error: ReportedError?, retryAfter: Duration?) -> ProviderFailure {
        let name = error?.code.map { ", \($0)" } ?? ""
        if error?.isAboutAccess == true {
            return .refused(
                detail: "The provider \(provider) does not accept this server's account (\(status)\(name))."
            )
        }
        switch status == 400 ? error?.status ?? status : status {
        case 400 where error?.refused.isAboutShape == true:
            return .refused(detail: "The provider \(provider) does not take such a request (\(status)\(name)).")
        case 400 where error?.contentFault == nil:
            return .refused(detail: "The provider \(provider) gave no answer to such a request (\(status)\(name)).")
        case 400:
            return .rejected(detail: "The provider \(provider) rejected the request (\(status)\(name)).")
        case 401, 402, 403:
            return .refused(
                detail: "The provider \(provider) does not accept this server's account (\(status)\(name))."
            )
        case 404:
            return .refused(
                detail: "The provider \(provider) does not know the model or the address (\(status)\(name))."
            )
        case 429:
            return .busy(
                detail: "The provider \(provider) has too much to do (\(status)\(name)).",
                retryAfter: retryAfter
            )
        case 408, 409, 425, 500...599:
            return .unavailable(detail: "The provider \(provider) failed (\(status)\(name)).", retryAfter: retryAfter)
        case _:
            return .refused(detail: "The provider \(provider) answered with status \(status)\(name).")
        }
    }

    /// An error inside of an answer that began well.
    func reported(_ error: ReportedError) -> ProviderFailure {
        if let status = error.status, !error.isAboutAccess {
            return self.status(status, error, retryAfter: error.retryAfter)
        }
        let name = error.code.map { " (\($0))" } ?? ""
        let detail = "The provider \(provider) reported an error\(name)."
        return error.isAboutAccess
            ? .refused(detail: detail) : .unavailable(detail: detail, retryAfter: error.retryAfter)
    }

    func transport(_ error: HTTPClientError) -> ProviderFailure {
        switch error {
        case .cancelled: .cancelled
        case .invalidRequest:
            .refused(detail: "The provider \(provider) cannot be asked: its address, model or key is not valid.")
        case .timedOut(let phase): .timedOut(detail: "The provider \(provider) took too long (\(phase.rawValue)).")
        case .resolve, .connect, .tls, .tooLarge, .closed, .protocolViolation, .failed:
            .unavailable(detail: "The provider \(provider) failed: \(error).")
        }
    }

    /// The request is asked again without `parts`, with `options` in place of its own.
    func adapted(_ parts: Set<RequestPart>, _ options: SolveOptions) -> ProviderFailure {
        let names = parts.map(\.rawValue).sorted().joined(separator: ", ")
        let detail = "The provider \(provider) does not take a part of the request (\(names))."
        return .adapted(detail: detail, options: options)
    }

    func broken(_ how: String) -> ProviderFailure { .unavailable(detail: "The provider \(provider) \(how).") }
}
