-- The conversations that a user deleted lately: a stream ticket for a request of one of them gets 404, not 410.
CREATE INDEX deleted_conversations_by_user ON conversations (user_id, deleted_at) WHERE deleted_at IS NOT NULL;
