internal import Cryptography
internal import Domain
internal import Shared

/// Reads the file of external issuers that `AUTH_ISSUERS` names: a JSON array with an object for each.
package enum IssuerFile {
    /// What is wrong with the file, as a sentence for the operator.
    package struct Mistake: Error, Equatable, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }

        /// `issuer` counts from 1, as people do.
        init(issuer: Int, _ member: String, _ reason: String) {
            description = "issuer \(issuer), \(member): \(reason)"
        }
    }

    package static let bytesMax = 256 * 1024
    private static let members = ["issuer", "audience", "jwksURI", "algorithms", "userClaim", "rolesClaim", "roles"]

    /// `own` is the issuer of Lemma's own tokens, which no other one may be.
    package static func read(_ bytes: [UInt8], own: String) throws(Mistake) -> [IssuerRules] {
        guard bytes.count <= bytesMax else { throw Mistake("the file is larger than \(bytesMax) bytes") }
        do throws(JSONSyntax.Failure) {
            try JSONSyntax.check(bytes)
        } catch {
            switch error {
            case .malformed, .tooDeep: throw Mistake("the file is no JSON")
            case .notUTF8: throw Mistake("the file is no UTF-8")
            case .repeatedMember(let name): throw Mistake("the member \(name) occurs twice in one object")
            }
        }
        guard case .array(let values)? = StrictObject.value(bytes) else { throw Mistake("the file is no JSON array") }
        var issuers: [IssuerRules] = []
        for (index, value) in values.enumerated() {
            guard let object = StrictObject(value) else { throw Mistake("issuer \(index + 1) is no JSON object") }
            let rules = try Entry(object: object, number: index + 1).rules()
            guard rules.name != own else {
                throw Mistake(issuer: index + 1, "issuer", "Lemma's own tokens have this issuer (JWT_ISSUER)")
            }
            guard !issuers.contains(where: { $0.name == rules.name }) else {
                throw Mistake(issuer: index + 1, "issuer", "another entry has the same issuer")
            }
            issuers.append(rules)
        }
        return issuers
    }

    /// One entry of the file.
    private struct Entry {
        let object: StrictObject
        let number: Int

        func rules() throws(Mistake) -> IssuerRules {
            if let unknown = object.names.first(where: { !members.contains($0) }) {
                throw mistake(unknown, "there is no such member; allowed: \(members.joined(separator: ", "))")
            }
            let roles = try roleNames()
            let rolesClaim = try text("rolesClaim")
            guard roles.isEmpty || rolesClaim != nil else {
                throw mistake("roles", "it needs a rolesClaim that has these values")
            }
            let keysURL = try keysURL()
            return IssuerRules(
                name: try name(hasKeysURL: keysURL != nil),
                audience: try audience(),
                keysURL: keysURL,
                algorithms: try algorithms(),
                userClaim: try text("userClaim") ?? "sub",
                rolesClaim: rolesClaim,
                roleNames: object.has("roles") ? roles : Self.ownRoleNames,
            )
        }

        /// Without a table, the values are the names of Lemma's roles.
        private static let ownRoleNames = Dictionary(uniqueKeysWithValues: Role.allCases.map { ($0.rawValue, $0) })

        private func name(hasKeysURL: Bool) throws(Mistake) -> String {
            guard let name = try text("issuer") else { throw mistake("issuer", "it is missing") }
            guard hasKeysURL || IssuerURL(name)?.discovery != nil else {
                throw mistake(
                    "issuer",
                    "an https:// URL without query is needed for OpenID discovery (http:// from this machine alone); "
                        + "or name the keys' address in jwksURI",
                )
            }
            return name
        }

        private func audience() throws(Mistake) -> Set<String> {
            guard case .array? = object["audience"], let names = object.strings("audience"), !names.isEmpty,
                !names.contains("")
            else { throw mistake("audience", "a list of at least one name is needed") }
            return Set(names)
        }

        private func keysURL() throws(Mistake) -> String? {
            guard let text = try text("jwksURI") else { return nil }
            guard IssuerURL(text) != nil else {
                throw mistake("jwksURI", "an https:// URL is needed (http:// from this machine alone)")
            }
            return text
        }

        private func algorithms() throws(Mistake) -> Set<SignatureAlgorithm> {
            let all = SignatureAlgorithm.allCases
            guard object.names.contains("algorithms") else { return Set(all) }
            let allowed = all.map(\.rawValue).joined(separator: ", ")
            guard case .array? = object["algorithms"], let names = object.strings("algorithms"), !names.isEmpty else {
                throw mistake("algorithms", "a list of at least one is needed; allowed: \(allowed)")
            }
            var algorithms: Set<SignatureAlgorithm> = []
            for name in names {
                guard let algorithm = SignatureAlgorithm(rawValue: name) else {
                    throw mistake("algorithms", "\(name) is not allowed; allowed: \(allowed)")
                }
                algorithms.insert(algorithm)
            }
            return algorithms
        }

        private func roleNames() throws(Mistake) -> [String: Role] {
            guard object.names.contains("roles") else { return [:] }
            let allowed = Role.allCases.map(\.rawValue).joined(separator: ", ")
            guard let table = object["roles"].flatMap({ StrictObject($0) }) else {
                throw mistake("roles", "an object is needed, whose values are roles: \(allowed)")
            }
            var roles: [String: Role] = [:]
            for name in table.names {
                guard let role = table.string(name).flatMap({ Role(rawValue: $0) }) else {
                    throw mistake("roles", "the value of \(name) is no role; allowed: \(allowed)")
                }
                roles[name] = role
            }
            return roles
        }

        /// A member that is text; nil where it is missing.
        private func text(_ name: String) throws(Mistake) -> String? {
            guard object.names.contains(name) else { return nil }
            guard let text = object.string(name), !text.isEmpty else { throw mistake(name, "text is needed") }
            return text
        }

        private func mistake(_ member: String, _ reason: String) -> Mistake {
            Mistake(issuer: number, member, reason)
        }
    }
}
