-- Conversations, the requests in them and the answers to those. Ids are UUIDv7, times have whole milliseconds.
-- Tokens are not here: they live in Redis until their request is over (docs/decisions/0007-tokens-stay-in-redis.md).

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    user_id text NOT NULL,
    title text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- A deleted conversation leaves its id behind, so that records on their way do not bring it back.
    deleted_at timestamptz,
    CHECK (deleted_at IS NULL OR title IS NULL)
);

CREATE INDEX conversations_by_user ON conversations (user_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE math_requests (
    id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    problem text NOT NULL,
    requested_provider text,
    temperature double precision,
    max_output_tokens integer,
    on_disconnect text NOT NULL,
    on_busy text NOT NULL,
    -- `queued` until it is over: what happens in between is Redis's to know.
    status text NOT NULL CHECK (status IN ('queued', 'completed', 'failed', 'cancelled')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX math_requests_by_conversation ON math_requests (conversation_id, created_at DESC, id DESC);

CREATE TABLE ai_responses (
    id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE REFERENCES math_requests (id) ON DELETE CASCADE,
    content text NOT NULL,
    attempts integer NOT NULL,
    provider text,
    model text,
    prompt_version text,
    finish_reason text,
    cancel_reason text,
    failure_kind text,
    failure_detail text,
    input_tokens bigint,
    output_tokens bigint,
    reasoning_tokens bigint,
    usage_is_estimated boolean,
    queue_ms bigint,
    first_token_ms bigint,
    duration_ms bigint,
    started_at timestamptz,
    -- The end of the request.
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- A request with what there is of its answer, in the order in which StoredRequest.swift reads the columns.
CREATE VIEW answered_requests AS
SELECT r.id, r.conversation_id, r.user_id, r.problem, r.requested_provider, r.temperature,
    r.max_output_tokens::bigint AS max_output_tokens, r.on_disconnect, r.on_busy, r.status, r.created_at,
    a.id AS response_id, a.content, a.created_at AS finished_at, a.attempts::bigint AS attempts, a.started_at,
    a.provider, a.model, a.prompt_version, a.finish_reason, a.cancel_reason, a.failure_kind, a.failure_detail,
    a.input_tokens, a.output_tokens, a.reasoning_tokens, a.usage_is_estimated, a.queue_ms, a.first_token_ms,
    a.duration_ms
FROM math_requests AS r LEFT JOIN ai_responses AS a ON a.request_id = r.id;
