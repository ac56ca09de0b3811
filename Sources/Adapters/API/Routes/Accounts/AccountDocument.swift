internal import Application
internal import Domain
internal import Shared
internal import Time

/// The JSON of accounts, sessions and usage (contract, section 7).
enum AccountDocument {
    static func json(_ account: Account) -> [UInt8] {
        JSONWriter.object { write(account, &$0) }
    }

    /// The account with its limits and today's usage.
    static func json(_ account: Account, _ output: ReadAccount.Output) -> [UInt8] {
        JSONWriter.object { json in
            write(account, &json)
            json.member("limits", object: { write(output.limits, &$0) })
            json.member("usage", object: { write(output.today, &$0) })
        }
    }

    /// As an administrator sees it.
    static func adminJSON(_ account: Account) -> [UInt8] {
        JSONWriter.object { writeForAdmin(account, &$0) }
    }

    static func adminJSON(_ page: Page<Account, AccountID>) -> [UInt8] {
        JSONWriter.object { json in
            json.member("items", array: page.items) { json, account in json.object { writeForAdmin(account, &$0) } }
            json.nullable("nextCursor", page.next?.cursor)
        }
    }

    static func json(_ credentials: SessionCredentials) -> [UInt8] {
        JSONWriter.object { json in
            json.member("accessToken", credentials.accessToken.text)
            json.member("tokenType", "Bearer")
            json.member("expiresIn", Int(credentials.accessToken.expiresIn.wholeSeconds))
            json.member("refreshToken", credentials.refreshToken)
            json.member("refreshExpiresIn", Int(credentials.refreshExpiresIn.wholeSeconds))
        }
    }

    static func json(_ days: [UsageDay]) -> [UInt8] {
        JSONWriter.object { json in
            json.member("items", array: days) { json, day in json.object { write(day, &$0) } }
        }
    }

    private static func write(_ account: Account, _ json: inout JSONWriter) {
        json.member("id", account.id.description)
        json.nullable("email", account.email?.text)
        json.nullable("displayName", account.displayName)
        json.member("roles", array: account.roles.sorted()) { json, role in json.string(role.rawValue) }
        json.member("createdAt", account.createdAt.description)
    }

    private static func writeForAdmin(_ account: Account, _ json: inout JSONWriter) {
        write(account, &json)
        json.member("disabled", account.isDisabled)
        if case .issuer(let issuer, let subject) = account.origin {
            json.member("issuer", issuer)
            json.member("subject", subject)
        }
    }

    private static func write(_ limits: UserLimits, _ json: inout JSONWriter) {
        if let rate = limits.requestsPerMinute, Int(exactly: rate) == nil {
            json.member("requestsPerMinute", rate)
        } else {
            json.nullable("requestsPerMinute", limits.requestsPerMinute.flatMap { Int(exactly: $0) })
        }
        json.nullable("maxActive", limits.maxActive)
        json.nullable("tokensPerDay", limits.tokensPerDay)
    }

    private static func write(_ day: UsageDay, _ json: inout JSONWriter) {
        json.member("day", day.day.description)
        json.member("requests", day.requests)
        json.member("inputTokens", day.inputTokens)
        json.member("outputTokens", day.outputTokens)
    }
}
