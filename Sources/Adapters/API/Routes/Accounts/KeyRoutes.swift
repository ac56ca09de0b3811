internal import Application
internal import Domain
internal import HTTPServer
internal import Shared

/// `/api/keys` and the paths below it.
struct KeyRoutes {
    private struct Body: Decodable {
        struct Limits: Decodable {
            private enum Key: String, CodingKey {
                case requestsPerMinute, maxActive, tokensPerDay
            }

            let values: KeyLimits

            init(from decoder: any Decoder) throws {
                let members = try decoder.container(keyedBy: Key.self)
                values = KeyLimits(
                    requestsPerMinute: try members.numberIfPresent(forKey: .requestsPerMinute),
                    maxActive: try members.numberIfPresent(forKey: .maxActive),
                    tokensPerDay: try members.numberIfPresent(forKey: .tokensPerDay),
                )
            }
        }

        let name: String?
        let scopes: [String]?
        let expiresAt: String?
        let limits: Limits?
        let actsForEndUsers: Bool?
    }

    let keys: KeyServices
    let withdrawn: WithdrawnAccess
    let audit: AuditTrail

    func create(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let owner = try caller.requireAccount()
        let body = try context.body(as: Body.self)
        let command = CreateAPIKey(
            owner: owner,
            name: body.name,
            scopes: body.scopes,
            expiresAt: body.expiresAt,
            limits: body.limits?.values ?? .none,
            actsForEndUsers: body.actsForEndUsers ?? false,
        )
        do {
            let made = try await keys.create.handle(command)
            audit.record(.keyCreate, by: caller, context, subject: made.key.id.description)
            context.respond(status: 201, json: KeyDocument.json(made.key, text: made.text))
        } catch {
            switch error {
            case .invalid(let failure): throw .invalid(failure)
            case .tooManyKeys:
                throw APIProblem(.tooManyKeys, "An account has at most \(APIKeyRules.keysMax) keys. Revoke one first.")
            case .unavailable: throw .accountsUnavailable
            }
        }
    }

    func list(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let owner = try caller.requireAccount()
        do {
            context.respond(status: 200, json: KeyDocument.json(try await keys.list.handle(ListAPIKeys(owner: owner))))
        } catch {
            throw .accountsUnavailable
        }
    }

    func revoke(_ caller: Caller, _ context: RequestContext) async throws(APIProblem) {
        let owner = try caller.requireAccount()
        let id = try context.identifier(APIKeyID.self)
        do throws(APIProblem) {
            try await revoke(id, of: owner)
        } catch {
            audit.record(.keyRevoke, preventedBy: error, by: caller, context, subject: id.description)
            throw error
        }
        withdrawn.withdraw(accounts: [], keys: [id])
        audit.record(.keyRevoke, by: caller, context, subject: id.description)
        context.respond(HTTPResponse(status: 204))
    }

    private func revoke(_ id: APIKeyID, of owner: AccountID) async throws(APIProblem) {
        do {
            try await keys.revoke.handle(RevokeAPIKey(id: id, owner: owner))
        } catch {
            switch error {
            case .notFound: throw APIProblem(.notFound, "There is no such key.")
            case .unavailable: throw .accountsUnavailable
            }
        }
    }
}

/// The JSON of API keys.
enum KeyDocument {
    /// A new key with its text, which is shown this once.
    static func json(_ key: APIKey, text: String) -> [UInt8] {
        JSONWriter.object { json in
            json.member("key", text)
            write(key, &json)
        }
    }

    static func json(_ keys: [APIKey]) -> [UInt8] {
        JSONWriter.object { json in
            json.member("items", array: keys) { json, key in json.object { write(key, &$0) } }
        }
    }

    private static func write(_ key: APIKey, _ json: inout JSONWriter) {
        json.member("id", key.id.description)
        json.member("name", key.name)
        json.member("scopes", array: key.scopes.sorted()) { json, scope in json.string(scope.rawValue) }
        json.member(
            "limits",
            object: {
                $0.nullable("requestsPerMinute", key.limits.requestsPerMinute)
                $0.nullable("maxActive", key.limits.maxActive)
                $0.nullable("tokensPerDay", key.limits.tokensPerDay)
            }
        )
        json.member("actsForEndUsers", key.actsForEndUsers)
        json.member("createdAt", key.createdAt.description)
        json.nullable("expiresAt", key.expiresAt?.description)
        json.nullable("lastUsedAt", key.lastUsedAt?.description)
    }
}
