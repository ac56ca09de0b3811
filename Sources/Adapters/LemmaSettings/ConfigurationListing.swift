internal import Settings

extension LoadedConfiguration {
    /// The effective configuration for a terminal: a line for each setting with name, value and source, in columns.
    ///
    /// Secrets are masked; `-` stands for no value.
    package func listing() -> String {
        let width = rows.map(\.name.count).max() ?? 0
        let values = rows.map { $0.shownValue ?? "-" }
        let valueWidth = min(values.map(\.count).max() ?? 0, 48)
        let lines = zip(rows, values).map { row, value in
            "\(padded(row.name, to: width))  \(padded(value, to: valueWidth))  \(row.source)\n"
        }
        return lines.joined()
    }

    private func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension Configuration {
    /// The text of `docs/configuration.md`.
    package static func document() -> String {
        let reader = SettingReader(environment: [:], dotEnv: [:])
        _ = Configuration(reader, Surroundings(role: .client, processors: 1))
        var text = """
            # Configuration

            Generated from the rows in `Sources/Adapters/LemmaSettings/Sections`; regenerate with
            `LEMMA_WRITE_DOCS=1 swift test --filter DocumentTests`.

            Every setting is an environment variable, or a line of `.env` in the working directory; the environment wins.
            An empty value counts as not set. `lemma config` prints the value in force of each setting and its source. All
            mistakes are reported together, before the process starts anything.

            """
        var section = ""
        for row in reader.rows {
            if row.section != section {
                section = row.section
                text += "\n## \(section)\n\n| variable | default | meaning | allowed |\n| --- | --- | --- | --- |\n"
            }
            text += "| `\(row.name)` | \(row.defaultText) | \(row.summary) | \(row.allowed) |\n"
        }
        return text
    }
}
