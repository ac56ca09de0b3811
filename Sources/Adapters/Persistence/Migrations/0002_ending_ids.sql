-- The ids of a request's terminal event and of the one before it, for the replay of its answer: `<attempt>-<sequence>`.
-- Null for what earlier releases wrote.
ALTER TABLE ai_responses ADD COLUMN end_id text, ADD COLUMN before_end_id text;

-- A view of its own: replicas of the earlier release hold prepared statements on `answered_requests`, which break where its
-- columns change. In the order in which StoredRequest.swift reads the columns.
CREATE VIEW ended_requests AS
SELECT r.id, r.conversation_id, r.user_id, r.problem, r.requested_provider, r.temperature,
    r.max_output_tokens::bigint AS max_output_tokens, r.on_disconnect, r.on_busy, r.status, r.created_at,
    a.id AS response_id, a.content, a.created_at AS finished_at, a.attempts::bigint AS attempts, a.started_at,
    a.provider, a.model, a.prompt_version, a.finish_reason, a.cancel_reason, a.failure_kind, a.failure_detail,
    a.input_tokens, a.output_tokens, a.reasoning_tokens, a.usage_is_estimated, a.queue_ms, a.first_token_ms,
    a.duration_ms, a.end_id, a.before_end_id
FROM math_requests AS r LEFT JOIN ai_responses AS a ON a.request_id = r.id;
