internal import Console
internal import Domain

/// `lemma users`: accounts and their roles, for operators.
enum UsersCommand {
    private static let roleNames = Role.allCases.map(\.rawValue).joined(separator: ", ")

    static let command = CommandFamily(
        name: "users",
        summary: "create, list, lock out or erase users, grant roles, set passwords",
        actions: [add, list, role, disable, enable, password, delete],
        details: """
            Passwords are read from standard input, on a terminal without showing them. A user of an external issuer is
            named by its id. Works on the PostgreSQL that DATABASE_URL names; without it, on that of the lemma dev in this
            folder.

            """,
    ).command

    private static let add = CommandFamily.Action(
        specification: CommandSpecification(
            "users add",
            summary: "create a user; the password is read from standard input",
            operands: ["EMAIL"],
            options: [CommandOption("role", value: "ROLE", "grant this role as well: \(roleNames)")],
        )
    ) { arguments in
        let email = try AccountStore.email(arguments.operands[0])
        let role = try arguments["role"].map { try parseRole($0, of: "--role") }
        let password = try PasswordInput.read(prompt: "Password of \(email): ")
        try await AccountStore.open { store in
            try await UserActions(store).add(email, password, roles: role.map { [.student, $0] } ?? [.student])
        }
    }

    private static let list = CommandFamily.Action(
        specification: CommandSpecification(
            "users list",
            summary: "show the users, the newest first",
            options: [CommandOption(flag: "json", "one JSON object a line")],
        )
    ) { arguments in
        try await AccountStore.open { store in try await UserActions(store).list(asJSON: arguments.has("json")) }
    }

    private static let role = CommandFamily.Action(
        specification: CommandSpecification(
            "users role",
            summary: "grant a role, or take it: \(roleNames)",
            operands: ["EMAIL", "ROLE"],
            options: [CommandOption(flag: "remove", "take the role instead of granting it")],
        )
    ) { arguments in
        let role = try parseRole(arguments.operands[1], of: "ROLE")
        try await AccountStore.open { store in
            let actions = UserActions(store)
            if arguments.has("remove") {
                try await actions.take(role, from: arguments.operands[0])
            } else {
                try await actions.grant(role, to: arguments.operands[0])
            }
        }
    }

    private static let disable = CommandFamily.Action(
        specification: CommandSpecification(
            "users disable",
            summary: "lock a user out; open streams close within 5 s",
            operands: ["EMAIL"],
        )
    ) { arguments in
        try await AccountStore.open { store in
            try await UserActions(store).setDisabled(true, of: arguments.operands[0])
        }
    }

    private static let enable = CommandFamily.Action(
        specification: CommandSpecification(
            "users enable",
            summary: "enable a disabled user",
            operands: ["EMAIL"],
        )
    ) { arguments in
        try await AccountStore.open { store in
            try await UserActions(store).setDisabled(false, of: arguments.operands[0])
        }
    }

    private static let password = CommandFamily.Action(
        specification: CommandSpecification(
            "users password",
            summary: "set a password that is read from standard input, and sign the user out everywhere",
            operands: ["EMAIL"],
        )
    ) { arguments in
        let password = try PasswordInput.read(prompt: "New password of \(arguments.operands[0]): ")
        try await AccountStore.open { store in
            try await UserActions(store).setPassword(password, of: arguments.operands[0])
        }
    }

    private static let delete = CommandFamily.Action(
        specification: CommandSpecification(
            "users delete",
            summary: "erase a user with all conversations, requests, answers and keys",
            operands: ["EMAIL"],
        )
    ) { arguments in
        try await AccountStore.open { store in try await UserActions(store).delete(arguments.operands[0]) }
    }

    private static func parseRole(_ text: String, of name: String) throws(UsageError) -> Role {
        guard let role = Role(rawValue: text) else {
            throw .notAllowed(name: name, value: text, allowed: roleNames)
        }
        return role
    }
}

/// A password on standard input.
enum PasswordInput {
    private static let bytesMax = 4096

    static func read(prompt: String) throws -> Password {
        let line: [UInt8]
        do throws(InputError) {
            line = try Input.readSecret(prompt: prompt, bytesMax: bytesMax)
        } catch .interrupted {
            throw ExitCode.interrupted
        } catch {
            throw CommandFailure("\(error)")
        }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw CommandFailure("the password on standard input is not UTF-8")
        }
        do {
            return try Password(text)
        } catch {
            let allowed = Password.scalarsAllowed
            let range = "\(allowed.lowerBound) to \(allowed.upperBound) characters"
            switch error {
            case .tooShort: throw CommandFailure("the password on standard input is too short: it must have \(range)")
            case .tooLong: throw CommandFailure("the password on standard input is too long: it must have \(range)")
            }
        }
    }
}
