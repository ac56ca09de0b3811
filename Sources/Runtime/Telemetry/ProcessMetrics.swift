internal import Glibc

extension MetricsRegistry {
    /// Registers the metrics of this process under their conventional names, and `<namespace>_build_info`.
    ///
    /// To be called once per registry.
    package func registerProcess(version: String, namespace: String = "lemma") {
        gauge(
            "\(namespace)_build_info",
            help: "Always 1; the release and the compiler that built it are labels.",
            labels: ["version": version, "swift": ProcessStatistics.compiler],
        )
        .set(1)
        observeCounter("process_cpu_seconds_total", help: "Processor time used, user and system, in seconds.") {
            ProcessStatistics.cpuSeconds()
        }
        observeGauge("process_resident_memory_bytes", help: "Resident memory in bytes.") {
            ProcessStatistics.memoryBytes(field: 1)
        }
        observeGauge("process_virtual_memory_bytes", help: "Virtual memory in bytes.") {
            ProcessStatistics.memoryBytes(field: 0)
        }
        observeGauge("process_open_fds", help: "Open file descriptors.") {
            ProcessStatistics.openDescriptors()
        }
        observeGauge("process_max_fds", help: "Limit of open file descriptors.") {
            ProcessStatistics.descriptorLimit()
        }
        observeGauge("process_threads", help: "Threads of the process.") { ProcessStatistics.threads() }
        observeCounter(
            "process_network_receive_bytes_total",
            help: "Bytes received by the network namespace of the process.",
        ) { ProcessStatistics.networkBytes("InOctets") }
        observeCounter(
            "process_network_transmit_bytes_total",
            help: "Bytes sent by the network namespace of the process.",
        ) { ProcessStatistics.networkBytes("OutOctets") }
        let start = ProcessStatistics.startTime()
        observeGauge("process_start_time_seconds", help: "Start of the process in seconds since 1970.") { start }
    }
}

/// Statistics of this process from Linux; nil if a value is not available.
enum ProcessStatistics {
    static func cpuSeconds() -> Double? {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// A field of `/proc/self/statm`: 0 is the virtual size, 1 the resident one.
    static func memoryBytes(field: Int) -> Double? {
        let fields = (read("/proc/self/statm") ?? "").split(separator: " ")
        guard fields.indices.contains(field), let pages = Double(fields[field]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    static func openDescriptors() -> Double? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of the directory itself.
        return Double(count - 3)
    }

    static func descriptorLimit() -> Double? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    /// Ticks since boot from `/proc/self/stat`, plus the boot time from `/proc/stat`.
    static func startTime() -> Double? {
        guard let ticks = status(field: 19),
            let line = read("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(line.dropFirst(6))
        else { return nil }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    static func threads() -> Double? { status(field: 17) }

    /// A number of `/proc/self/stat`, counted from 0 at the process' state.
    private static func status(field: Int) -> Double? {
        // The second field, the name of the program, may contain blanks and parentheses: count from the last parenthesis.
        guard let stat = read("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.indices.contains(field) ? Double(fields[field]) : nil
    }

    /// A number of the group `IpExt` of `/proc/self/net/netstat`, where each group is a line of names and one of values.
    static func networkBytes(_ name: String) -> Double? {
        let lines = (read("/proc/self/net/netstat") ?? "").split(separator: "\n").filter { $0.hasPrefix("IpExt:") }
        guard lines.count == 2 else { return nil }
        let (names, values) = (lines[0].split(separator: " "), lines[1].split(separator: " "))
        return zip(names, values).first { $0.0 == name }.flatMap { Double($0.1) }
    }

    /// The release of the compiler that built this program, as far as conditional compilation can tell.
    static var compiler: String {
        #if compiler(>=6.4)
        "6.4"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }

    /// The text of a small file under `/proc`.
    private static func read(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
