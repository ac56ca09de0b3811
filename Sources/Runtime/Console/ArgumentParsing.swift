extension CommandSpecification {
    /// Parses the words after the name of the command.
    ///
    /// Options and operands may be mixed; `--` ends the options; `-` alone is an operand.
    package func parse(_ words: [String]) throws(UsageError) -> ParsedArguments {
        var parsed = ParsedArguments()
        if let help = help(in: words) { return help }
        var rest = words[...]
        var optionsEnded = false
        while let word = rest.popFirst() {
            if !optionsEnded, word == "--" {
                optionsEnded = true
            } else if !optionsEnded, isOption(word) {
                try parseOption(word, &rest, &parsed)
            } else {
                guard parsed.operands.count < operands.count else { throw .unexpectedOperand(word) }
                parsed.operands.append(word)
            }
        }
        if parsed.operands.count < operands.count { throw .missingOperand(operands[parsed.operands.count]) }
        return parsed
    }

    /// `--help` and `--version` take precedence over every mistake, so that help is available when it is needed.
    private func help(in words: [String]) -> ParsedArguments? {
        var parsed = ParsedArguments()
        for word in words.prefix(while: { $0 != "--" }) {
            if word == "--help" || word == "-h" { parsed.wantsHelp = true }
            if word == "--version" { parsed.wantsVersion = true }
        }
        return parsed.wantsHelp || parsed.wantsVersion ? parsed : nil
    }

    private func isOption(_ word: String) -> Bool {
        word.hasPrefix("--") || word.hasPrefix("-") && word != "-" && !operandsMayBeginWithDash
    }

    private func parseOption(
        _ word: String,
        _ rest: inout ArraySlice<String>,
        _ parsed: inout ParsedArguments
    ) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let written = String(parts[0])
        guard written.hasPrefix("--"), let option = options.first(where: { "--\($0.name)" == written }) else {
            let known = options.map { "--\($0.name)" } + ["--help", "--version"]
            throw .unknownOption(written, suggestion: nearest(to: written.lowercased(), in: known))
        }
        guard !parsed.has(option.name) else { throw .repeatedOption(written) }
        guard let value = option.value else {
            guard parts.count == 1 else { throw .unexpectedValue(option: written) }
            parsed.values[option.name] = ""
            return
        }
        if parts.count == 2 {
            parsed.values[option.name] = String(parts[1])
        } else if let next = rest.popFirst() {
            parsed.values[option.name] = next
        } else {
            throw .missingValue(option: written, value: value)
        }
    }
}
