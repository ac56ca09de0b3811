import FoundationEssentials
import Settings
import TestSupport
import Testing

@testable import LemmaSettings

@Suite("Every setting is read by something", .tags(.unit))
struct ReaderTests {
    /// One of these differs from a setting's default and is allowed; a setting of another form needs one more.
    private static let values = [
        "77", "1", "1234ms", "77KiB", "3/s", "true", "false", "on", "0.25", "debug", "text", "timestamps", "always_off",
        "closed", "mock",
        "10.0.0.0/8", "https://other.example", "redis://other", "postgres://other/d", "a=b", "file",
        String(repeating: "k", count: 40),
    ]

    /// Where a value is read by way of a member of its section: field by field.
    private static let ways = [
        "calls.maxConcurrency": "calls.callsMax", "redis.tlsCertificate": "redis.identity",
        "redis.tlsKey": "redis.identity",
    ]

    private static func configuration(_ environment: [String: String]) -> (fields: [String: String], isValid: Bool) {
        let reader = SettingReader(environment: environment, dotEnv: [:])
        let configuration = Configuration(reader, Surroundings(role: .dev, processors: 3))
        var fields: [String: String] = [:]
        collect(configuration, "", &fields)
        return (fields, reader.mistakes.isEmpty)
    }

    /// The fields of a section by name; what is deeper counts as the dictionary's element that it belongs to.
    private static func collect(_ value: Any, _ path: String, _ fields: inout [String: String]) {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .dictionary, let endpoints = value as? [String: Configuration.AI.Endpoint] {
            for (name, endpoint) in endpoints {
                for child in Mirror(reflecting: endpoint).children {
                    fields["endpoint.\(child.label ?? "")#\(name)"] = "\(child.value)"
                }
            }
        } else if mirror.displayStyle == .struct, !mirror.children.isEmpty, path.isEmpty || !path.contains(".") {
            let isSection = path.isEmpty || "\(type(of: value))" != "Duration"
            guard isSection else {
                fields[path] = "\(value)"
                return
            }
            for child in mirror.children {
                collect(child.value, path.isEmpty ? child.label ?? "" : "\(path).\(child.label ?? "")", &fields)
            }
        } else {
            fields[path] = "\(value)"
        }
    }

    /// The fields that a setting changes, with a value that it takes; empty where none was found.
    private static func fields(of name: String) -> [String] {
        let before = configuration([:]).fields
        for value in values {
            let (after, isValid) = configuration([name: value])
            let changed = after.filter { before[$0.key] != $0.value }.keys
            if isValid, !changed.isEmpty { return changed.map { String($0.prefix { $0 != "#" }) } }
        }
        return []
    }

    /// The pairs of names with a dot between them, such as `jobs.lease`, in the program but for the settings and what only
    /// checks them.
    private static func pairs() throws -> Set<String> {
        let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/Sources"
        var pairs: Set<String> = []
        var folders = [root]
        while let folder = folders.popLast() {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let path = "\(folder)/\(name)"
                if !name.contains("."), name != "LemmaSettings" { folders.append(path) }
                guard name.hasSuffix(".swift"), name != "SettingChecks.swift" else { continue }
                collectPairs(in: FileManager.default.contents(atPath: path) ?? Data(), &pairs)
            }
        }
        return pairs
    }

    private static func collectPairs(in code: Data, _ pairs: inout Set<String>) {
        let isPart: (UInt8) -> Bool = {
            $0 >= 0x80 || $0 == UInt8(ascii: "_") || Unicode.Scalar($0).properties.isAlphabetic
        }
        let dot = UInt8(ascii: ".")
        let words = code.split { !isPart($0) && $0 != dot && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "!") }
        for word in words where word.contains(dot) {
            let names = word.split(separator: dot).map { String(decoding: $0.filter(isPart), as: UTF8.self) }
            pairs.formUnion(zip(names, names.dropFirst()).map { "\($0).\($1)" })
        }
    }

    /// Whether some code names the field of a section: by convention a variable has the section's name.
    private static func isRead(_ field: String, in pairs: Set<String>) -> Bool {
        let way = ways[field] ?? field
        return pairs.contains(way.contains(".") ? way : "configuration.\(way)")
    }

    @Test("each setting changes a field, and code outside the settings reads it")
    func everySetting() throws {
        let pairs = try Self.pairs()
        let rows = try Configuration.load(environment: [:], dotEnv: nil, role: .dev).rows
        for row in rows {
            let fields = Self.fields(of: row.name)
            try #require(!fields.isEmpty, "\(row.name) changes nothing: does it need another value in this test?")
            #expect(fields.contains { Self.isRead($0, in: pairs) }, "\(row.name) sets \(fields), which nothing reads")
        }
    }
}
