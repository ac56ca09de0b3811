/// Names that OpenTelemetry's semantic conventions (1.42, and those for generative AI) have for what our metrics measure.
enum OpenTelemetryNames {
    static let all = [
        "lemma_gen_ai_client_operation_duration_seconds": "gen_ai.client.operation.duration",
        "lemma_gen_ai_client_operation_time_per_output_chunk_seconds": "gen_ai.client.operation.time_per_output_chunk",
        "lemma_gen_ai_client_operation_time_to_first_chunk_seconds": "gen_ai.client.operation.time_to_first_chunk",
        "lemma_gen_ai_client_token_usage_tokens": "gen_ai.client.token.usage",
        "lemma_http_request_duration_seconds": "http.server.request.duration",
        "lemma_postgres_batch_duration_seconds": "db.client.operation.duration",
        "lemma_postgres_connections": "db.client.connection.count",
        "lemma_postgres_connections_max": "db.client.connection.max",
        "lemma_postgres_timeouts_total": "db.client.connection.timeouts",
        "lemma_postgres_wait_seconds": "db.client.connection.wait_time",
        "lemma_postgres_waiting": "db.client.connection.pending_requests",
        "lemma_redis_command_duration_seconds": "db.client.operation.duration",
        "process_cpu_seconds_total": "process.cpu.time",
        "process_network_receive_bytes_total": "process.network.io",
        "process_network_transmit_bytes_total": "process.network.io",
        "process_open_fds": "process.open_file_descriptor.count",
        "process_resident_memory_bytes": "process.memory.usage",
        "process_threads": "process.thread.count",
        "process_virtual_memory_bytes": "process.memory.virtual",
    ]
}
