-- Accounts, their sessions and API keys, and what users used. Of passwords, refresh tokens and API keys there are digests
-- alone. Times have whole milliseconds, but for those that are the database's own.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- As its owner wrote it, and in lower case: equal addresses are one account.
    email text,
    canonical_email text UNIQUE,
    -- With algorithm, parameters and salt.
    password_hash text,
    -- The user `subject` of the external issuer `issuer`.
    issuer text,
    subject text,
    display_name text,
    roles text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    disabled_at timestamptz,
    -- From then on there is no such account. Its id stays until everything that has it is deleted.
    erasure_began_at timestamptz,
    -- When a replica last worked on the erasure, by the database's clock.
    erasure_tried_at timestamptz,
    -- When the account was last disabled, enabled or erased, by the database's clock.
    access_changed_at timestamptz,
    UNIQUE (issuer, subject),
    CHECK ((email IS NULL) = (canonical_email IS NULL)),
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    CHECK (
        CASE WHEN erasure_began_at IS NULL
            THEN (password_hash IS NULL) <> (issuer IS NULL) AND (password_hash IS NULL OR email IS NOT NULL)
            ELSE COALESCE(email, password_hash, issuer, display_name) IS NULL
        END
    )
);

CREATE INDEX users_by_access_change ON users (access_changed_at) WHERE access_changed_at IS NOT NULL;
CREATE INDEX users_withdrawn ON users (id) WHERE disabled_at IS NOT NULL OR erasure_began_at IS NOT NULL;

-- A family of refresh tokens, from a login on. Digests are SHA-256 in hexadecimal digits.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    current_token text NOT NULL,
    -- The one before the current token, and when it was first presented.
    spent_token text,
    spent_at timestamptz,
    -- Whether it was presented once more, so that the token given first is void.
    is_repeated boolean NOT NULL DEFAULT false,
    void_tokens text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the key, in hexadecimal digits.
    secret_digest text NOT NULL UNIQUE,
    name text NOT NULL,
    scopes text[] NOT NULL,
    -- Limits of the key's own; null for none.
    requests_per_minute bigint,
    max_active bigint,
    tokens_per_day bigint,
    acts_for_end_users boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    -- A revoked key is kept for some time for those that have it in their memory.
    revoked_at timestamptz,
    -- When it was revoked, by the database's clock.
    access_changed_at timestamptz
);

CREATE INDEX api_keys_by_account ON api_keys (account_id, id DESC) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_by_access_change ON api_keys (access_changed_at) WHERE access_changed_at IS NOT NULL;

-- What a user used on a UTC day: requests and provider tokens by the day of the request's submission. The user is an account,
-- an end user of one, or `anonymous`, as in `conversations`.
CREATE TABLE usage_days (
    user_id text NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (user_id, day)
);

-- The digests (SHA-256 of the id's text, in hexadecimal digits) of accounts that were erased lately: a replica that starts
-- now must reject their tokens, too.
CREATE TABLE erased_accounts (
    digest text PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

CREATE INDEX erased_accounts_by_time ON erased_accounts (erased_at);

-- What belongs to an account or to its end users, `<account>/<end user>`. `anonymous` is shorter and not in there.
CREATE INDEX conversations_by_account ON conversations (left(user_id, 36), id) WHERE length(user_id) >= 36;
CREATE INDEX usage_days_by_account ON usage_days (left(user_id, 36)) WHERE length(user_id) >= 36;
