internal import Application
internal import EventLoop
internal import HTTPServer
internal import Settings
internal import Shared
internal import Telemetry
internal import Time

/// `GET` and `PUT /loglevel`: shows and changes the log level of a running process.
///
/// A changed level ends by itself, so that it cannot be forgotten. Loop-owned.
final class LogLevelRoute {
    private static let standardLimit = Duration.seconds(15 * 60)
    private static let limitMax = Duration.seconds(24 * 3600)
    private static let duration = SettingFormat<Duration>.duration(from: .seconds(1))

    private let loop: Loop
    private let control: LogLevelControl
    private let clock: any WallClock
    private var end: (timer: LoopTimer, at: Timestamp, generation: Int)?

    init(loop: Loop, control: LogLevelControl, clock: any WallClock) {
        self.loop = loop
        self.control = control
        self.clock = clock
    }

    private struct Body: Decodable {
        let level: String?
        let `for`: String?
    }

    func show(_: Caller, _ context: RequestContext) {
        let setting = control.setting
        context.respond(
            status: 200,
            json: JSONWriter.object { json in
                json.member("level", setting.level.rawValue)
                json.member("configured", control.configured.rawValue)
                if let end, end.generation == setting.generation { json.member("until", end.at.description) }
            },
        )
    }

    func change(_ caller: Caller, _ context: RequestContext) throws(APIProblem) {
        let (level, limit) = try Self.requested(context.body(as: Body.self))
        end?.timer.close()
        end = nil
        let generation = control.set(level).generation
        if level != control.configured {
            let timer = loop.schedule(after: limit) { [control] in control.end(generation) }
            let at = Timestamp(milliseconds: clock.now().milliseconds + limit.wholeMilliseconds)
            end = (timer, at, generation)
        }
        show(caller, context)
    }

    private static func requested(_ body: Body) throws(APIProblem) -> (LogLevel, Duration) {
        var errors: [ValidationFailure.FieldError] = []
        let level = body.level.flatMap { LogLevel(rawValue: $0) }
        if level == nil {
            let names = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
            errors.append(.init(field: "level", message: "must be one of \(names)"))
        }
        let limit = body.for.map { $0.isEmpty ? nil : duration.parse($0) } ?? standardLimit
        if limit.map({ $0 > limitMax }) ?? true {
            errors.append(.init(field: "for", message: "must be a duration from 1s to 24h, such as 10m"))
        }
        guard let level, let limit, errors.isEmpty else { throw .invalid(ValidationFailure(errors)) }
        return (level, limit)
    }
}
