import Settings
import TestSupport
import Testing

@Suite("Reading settings", .tags(.unit))
struct ReadingTests {
    @Test(
        "the environment takes precedence, an empty value counts as not set and hides the one in .env",
        arguments: [
            ([:], [:], 7, .default), (["N": "1"], [:], 1, .environment), ([:], ["N": "2"], 2, .dotEnv),
            (["N": "1"], ["N": "2"], 1, .environment), (["N": ""], ["N": "2"], 7, .default),
            ([:], ["N": ""], 7, .default),
        ] as [([String: String], [String: String], Int, SettingSource)]
    )
    func precedence(environment: [String: String], dotEnv: [String: String], value: Int, source: SettingSource) {
        let reader = SettingReader(environment: environment, dotEnv: dotEnv)
        #expect(reader.value("N", .integer(0...9), default: "7", "A number.") == value)
        #expect(reader.rows.map(\.source) == [source] && reader.rows.map(\.shownValue) == ["\(value)"])
        #expect(reader.isSet("N") == (source != .default))
        #expect(reader.mistakes.isEmpty)
    }

    @Test("a mistake does not stop the reading: the call returns the default, and all mistakes are collected")
    func mistakes() {
        let reader = SettingReader(environment: ["N": "ten", "KEY": "short"], dotEnv: [:])
        #expect(reader.value("N", .integer(0...9), default: "7", "A number.") == 7)
        #expect(reader.optional("KEY", .secret(bytesMin: 8), "A key.") == nil)
        #expect(reader.optional("HOST", .host, required: true, "A host.") == nil)
        reader.refuse("HOST", because: "it is unknown")
        let texts = reader.mistakes.map(\.description)
        #expect(
            texts == [
                #"N is "ten" (environment), which is not allowed; allowed: an integer from 0 to 9"#,
                #"KEY is "***" (environment), which is not allowed; allowed: \#(SettingFormat.secret(bytesMin: 8).allowed)"#,
                "HOST is required and not set; allowed: a host name or an IP address",
                #"HOST is "" (default), which cannot be used: it is unknown"#,
            ]
        )
    }

    @Test("a row documents the setting under its section")
    func rows() throws {
        let reader = SettingReader(environment: ["SWITCH": "on"], dotEnv: [:])
        reader.begin(section: "First")
        _ = reader.value("N", .integer(0...9), default: SettingDefault("7", documented: "seven"), "A number.")
        reader.begin(section: "Second")
        _ = reader.value("SWITCH", .onOff, default: "off", "A switch.")
        _ = reader.optional("URL", .httpURL, default: "http://h/", documented: "a server", "A server.")
        #expect(reader.rows.map(\.section) == ["First", "Second", "Second"])
        #expect(reader.rows.map(\.defaultText) == ["seven", "`off`", "a server"])
        #expect(reader.rows.map(\.summary) == ["A number.", "A switch.", "A server."])
        #expect(reader.rows.map(\.shownValue) == ["7", "on", "http://h/"])
    }
}
