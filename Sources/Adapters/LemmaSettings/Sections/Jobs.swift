internal import Settings

extension Configuration {
    /// Jobs and workers.
    package struct Jobs: Sendable {
        /// `WORKER_CONCURRENCY`.
        package var concurrency: Int
        /// `JOB_PARTITIONS`.
        package var partitions: Int
        /// `JOB_MAX_ATTEMPTS`.
        package var maxAttempts: Int
        /// `JOB_LEASE`.
        package var lease: Duration
        /// `QUEUE_MAX_DEPTH`.
        package var queueMaxDepth: Int
        /// `CONVERSATION_MAX_WAITING`.
        package var conversationMaxWaiting: Int
        /// `ARCHIVE_MAX_WAITING`.
        package var archiveMaxWaiting: Int
        /// `IDEMPOTENCY_TTL`.
        package var idempotencyTTL: Duration
        /// `DEAD_LETTERS_MAX`.
        package var deadLettersMax: Int
    }
}

extension Configuration.Jobs {
    init(_ reader: SettingReader) {
        concurrency = reader.value(
            "WORKER_CONCURRENCY",
            .integer(1...1_000_000),
            default: "256",
            "Jobs in flight per worker replica."
        )
        partitions = reader.value(
            "JOB_PARTITIONS",
            .integer(1...1024),
            default: "1",
            "Partitions of the keyspace, the same in all replicas. On Redis Cluster: several per master."
        )
        maxAttempts = reader.value(
            "JOB_MAX_ATTEMPTS",
            .integer(1...1000),
            default: "3",
            "Attempts before a job is dead-lettered."
        )
        lease = reader.value(
            "JOB_LEASE",
            .duration(from: .milliseconds(100)),
            default: "30s",
            "Time without a sign of life after which another worker takes over a worker's job."
        )
        queueMaxDepth = reader.value(
            "QUEUE_MAX_DEPTH",
            .integer(1...1_000_000_000),
            default: "10000",
            "Waiting jobs above which a submission is answered with 503."
        )
        conversationMaxWaiting = reader.value(
            "CONVERSATION_MAX_WAITING",
            .integer(1...100_000),
            default: "16",
            "Requests that may wait in one conversation; one more is answered with 429."
        )
        archiveMaxWaiting = reader.value(
            "ARCHIVE_MAX_WAITING",
            .integer(1...1_000_000_000),
            default: "100000",
            "Records that may wait in Redis for PostgreSQL; above, a submission is answered with 503."
        )
        idempotencyTTL = reader.value(
            "IDEMPOTENCY_TTL",
            .duration(from: .seconds(1)),
            default: "24h",
            "How long an `Idempotency-Key` is stored."
        )
        deadLettersMax = reader.value(
            "DEAD_LETTERS_MAX",
            .integer(1...10_000_000),
            default: "10000",
            "Dead letters stored per partition, for jobs and for records each; the oldest are evicted."
        )
    }
}
