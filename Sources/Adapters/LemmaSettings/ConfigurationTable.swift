internal import Settings

extension Configuration {
    /// Reads all sections in order, and the settings that belong to none of them; the reader collects the mistakes.
    init(_ reader: SettingReader, _ surroundings: Surroundings) {
        let role = surroundings.role
        reader.begin(section: "Listeners")
        http = HTTP(reader)
        ops = Ops(reader)
        eventLoops = reader.value(
            "EVENT_LOOPS",
            .integer(1...1024),
            default: SettingDefault("\(surroundings.processors)", documented: "number of cores"),
            "Event-loop threads. In a container with a processor quota, set it to the quota."
        )
        reader.begin(section: "Redis and PostgreSQL")
        redis = Redis(reader, role)
        database = Database(reader, role)
        reader.begin(section: "Accounts")
        auth = Auth(reader, role)
        reader.begin(section: "AI providers")
        ai = AI(reader, role)
        calls = Calls(reader)
        reader.begin(section: "Mock provider")
        mock = Mock(reader)
        reader.begin(section: "Jobs")
        jobs = Jobs(reader)
        reader.begin(section: "Streams")
        stream = Stream(reader)
        reader.begin(section: "Limits")
        limits = Limits(reader, role)
        reader.begin(section: "Conversations")
        context = Context(reader)
        reader.begin(section: "Operation")
        drainGrace = reader.value(
            "DRAIN_GRACE",
            .duration(from: .zero),
            default: "25s",
            "From SIGTERM to the end of streams and jobs."
        )
        logging = Logging(reader, isTerminal: surroundings.isTerminal)
        otel = OTel(reader, role)
        reader.begin(section: "Terminal client")
        client = Client(reader)
    }
}
