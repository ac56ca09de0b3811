import FoundationEssentials
import TestSupport
import Testing

@testable import Telemetry

@Suite("The log's level at run time", .tags(.unit))
struct LogLevelControlTests {
    private struct Line: Decodable {
        let level: String
        let message: String
        let from: String
        let to: String
    }

    private func changes(_ pipe: LogPipe) throws -> [String] {
        try pipe.lines().map { text in
            let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
            #expect(line.message == "log level changed")
            return "\(line.level): \(line.from) to \(line.to)"
        }
    }

    @Test("a change applies from the next line on and is logged in a line that is written")
    func set() throws {
        let pipe = LogPipe()
        let output = pipe.output(level: .info)
        let control = LogLevelControl(Logger(output: output), configured: .info)
        control.set(.debug)
        #expect(output.isEnabled(.debug) && !output.isEnabled(.trace))
        control.set(.error)
        #expect(output.isEnabled(.error) && !output.isEnabled(.warning))
        control.set(.warning)
        control.set(.info)
        let lines = [
            "info: info to debug", "info: debug to error", "warning: error to warning", "info: warning to info",
        ]
        #expect(try changes(pipe) == lines)
    }

    @Test("a toggle goes to debug and back, also from a level that was set")
    func toggle() throws {
        let pipe = LogPipe()
        let control = LogLevelControl(Logger(output: pipe.output(level: .info)), configured: .info)
        control.toggle()
        control.toggle()
        control.set(.error)
        control.toggle()
        let lines = ["info: info to debug", "info: debug to info", "info: info to error", "info: error to info"]
        #expect(try changes(pipe) == lines)
        let loud = LogLevelControl(Logger(output: pipe.output(level: .debug)), configured: .debug)
        loud.toggle()
        #expect(try changes(pipe) == ["info: debug to trace"])
    }

    @Test("the end of a time that another change has overtaken changes nothing")
    func end() {
        let pipe = LogPipe()
        let control = LogLevelControl(Logger(output: pipe.output(level: .info)), configured: .info)
        let first = control.set(.debug)
        let second = control.set(.trace)
        control.end(first.generation)
        #expect(control.setting.level == .trace)
        control.end(second.generation)
        #expect(control.setting.level == .info)
    }
}
