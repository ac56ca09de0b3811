-- The turns of a conversation, and its deletion.

-- begin_deletion  Ends all requests of a conversation, blocks new ones and erases its texts.
--
-- KEYS    SCOPE
-- ARGV    group, user, 1 if the archive has the conversation or 0, ms for which the deletion is remembered, then the
--         terms of `stop` (6)
-- returns 1 if the conversation is known here as the user's, 0 if it is not known here or belongs to another user;
--         the number of requests ended by this call and the sum of the ms since their submission; 1 if the call must
--         be repeated
-- O(n) in the turns and in the requests ended
--
-- Writes nothing for a conversation that neither Redis nor the archive knows.
local function begin_deletion(keys, args)
  local scope = scope_of(keys)
  local known = redis.call('HMGET', scope.conversation, 'user', 'active')
  if known[1] and known[1] ~= args[2] then return { 0, 0, 0, 0 } end
  if not known[1] and args[3] ~= '1' then return { 0, 0, 0, 0 } end
  redis.call('HSET', scope.conversation, 'deleted', args[2])
  -- A conversation that only the archive knows has no running request that could write to it later.
  redis.call('PEXPIRE', scope.conversation, known[1] and args[4] or 60000)
  local turns = redis.pcall('LRANGE', scope.turns, 0, -1)
  for i = 1, #turns, 3 do
    local id = string.sub(turns[i], 1, 36)
    redis.call('DEL', scope.events .. id)
    if redis.call('EXISTS', scope.requests .. id) == 1 then redis.pcall('HSET', scope.requests .. id, 'problem', '') end
  end
  redis.call('DEL', scope.turns)
  local count, age_sum, more = stop_all(scope, args[1], known[2], stop_terms(args, 5))
  return { known[1] and 1 or 0, count, age_sum, more and 1 or 0 }
end

-- read_turns  Returns the newest turns of a conversation.
--
-- KEYS    conversation, turns
-- ARGV    none
-- returns 1 if no newer turn is missing, else 0; then id, problem, answer of each turn in one list
local function read_turns(keys, args)
  return { redis.call('HEXISTS', keys[1], 'whole'), redis.call('LRANGE', keys[2], 0, -1) }
end

-- restore_turns  Puts the archive's turns before the known ones, which makes the list whole.
--
-- KEYS    conversation, turns
-- ARGV    turns to store, bytes of a turn's text, then id, problem, answer per turn
-- returns 1; 0 if the conversation is unknown, deleted or already whole
-- O(n) in the turns
local function restore_turns(keys, args)
  local conversation, turns = keys[1], keys[2]
  local known = redis.call('HMGET', conversation, 'user', 'deleted', 'whole')
  if not known[1] or known[2] == known[1] or known[3] then return 0 end
  local newer, seen = redis.call('LRANGE', turns, 0, -1), {}
  for i = 1, #newer, 3 do seen[string.sub(newer[i], 1, 36)] = true end
  redis.call('DEL', turns)
  local bytes = tonumber(args[2])
  for i = 3, #args, 3 do
    if not seen[string.sub(args[i], 1, 36)] then
      redis.call('RPUSH', turns, args[i], clip(args[i + 1], bytes), clip(args[i + 2], bytes))
    end
  end
  for i = 1, #newer, 3 do redis.call('RPUSH', turns, newer[i], newer[i + 1], newer[i + 2]) end
  redis.call('LTRIM', turns, -3 * tonumber(args[1]), -1)
  redis.call('HSET', conversation, 'whole', 1)
  extend_expiry(conversation, turns, day_ms)
  return 1
end
