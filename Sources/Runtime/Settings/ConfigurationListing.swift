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

            Generated from the table in `Sources/Runtime/Settings/ConfigurationTable.swift`; regenerate with
            `LEMMA_WRITE_DOCS=1 swift test --filter SettingsTests`.

            Every setting is an environment variable, or a line of `.env` in the working directory; the environment wins.
            An empty value counts as not set. `lemma config` prints what is in force and where each value came from. All
            mistakes are reported at once, before anything is started.

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
