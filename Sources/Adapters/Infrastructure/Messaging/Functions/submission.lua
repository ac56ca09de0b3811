-- Submissions and the idempotency of their keys.

-- Writes a new request with its first event and its record for the archive: as a job, or at the end of the
-- conversation queue. Returns its position and the number of its job, nil without one. `queued` is the data of that event
-- with a hole for the position.
--
-- Commands that can be refused come first, and each key gets its expiry at once: if the user lost a permission
-- (ACL), nothing stays. `about` has the fields to store in the conversation.
local function admit(scope, id, provider, active, delivered, waiting, now, ttl, queued, about, fields)
  local request, events, position, number = scope.requests .. id, scope.events .. id, waiting + 1, nil
  if active then position = position + redis.call('LLEN', scope.queue) end
  redis.call('PEXPIRE', events, ttl)
  redis.call('XADD', events, '0-1', 'e', 'queued', 'd', fill(queued, position))
  redis.call('PEXPIRE', events, ttl)
  redis.call('HSET', request, 'v', '1', 'status', 'queued', 'attempts', 0, 'created', now, unpack(fields))
  redis.call('PEXPIRE', request, ttl)
  redis.call('HSET', scope.conversation, unpack(about))
  extend_expiry(scope.conversation, scope.turns, day_ms)
  if active then
    redis.call('RPUSH', scope.queue, id)
    redis.call('PEXPIRE', scope.queue, day_ms)
    redis.call('ZADD', scope.waiting, now, scope.id .. ' ' .. id)
  else
    local entry = redis.call('XADD', scope.jobs, '*', 'v', '1', 'id', id, 'provider', provider)
    number = delivered + position
    redis.call('HSET', request, 'entry', entry, 'number', number)
    redis.call('HSET', scope.conversation, 'active', id)
  end
  redis.call('ZADD', scope.unfinished, now, id)
  redis.call('PEXPIRE', scope.unfinished, ttl)
  redis.call('XADD', scope.finished, '*', 'v', '1', 'kind', 'submitted', 'id', id, 'status', 'queued', 'created', now,
    unpack(fields))
  return position, number
end

-- Decodes the value of `once`.
local function decode_note(value)
  local created = struct.unpack('>I6', string.sub(value, 9, 14))
  return { meaning = string.sub(value, 1, 8), created = created, ids = string.sub(value, 15) }
end

-- Returns the reply of `submit` for an idempotency key that was used before; nil for a new key.
local function earlier_submission(once, former, meaning, former_meaning)
  local value = redis.call('GET', once)
  if value then
    if string.sub(value, 1, 8) ~= meaning or #value < 44 then return { 'reused' } end
    local note = decode_note(value)
    return { 'replay', note.created, note.ids }
  end
  value = redis.call('GET', former)
  if not value then return nil end
  local text, created, id, conversation = string.match(value, '^(%S+) (%d+) (%S+) (%S+)')
  if text ~= former_meaning then return { 'reused' } end
  return { 'replay', tonumber(created), id, conversation }
end

-- submit  Accepts a request, or returns the earlier one of the same idempotency key.
--
-- KEYS    SCOPE [, once, idempotency]
-- ARGV    group, max waiting requests, TTL ms, id, requested provider or '', data of `queued` with a hole for its position,
--         user, standing of the conversation (`new`, `named` or `confirmed`), policy for a busy conversation, max
--         waiting in the conversation, max records that wait for the archive, meaning (8 bytes), meaning as
--         `idempotency` stores it, ids (30 bytes), TTL of the idempotency key in ms, the terms of `stop` (6), then
--         field, value ...
-- returns {`ok`, created ms, position, number of interrupted requests, sum of the ms since their submission, number of
--         the job, absent while the request waits in the conversation queue};
--         {`stopped`, number of interrupted requests, sum of ms}: the call must be repeated;
--         {`replay`, created ms, ids (30 bytes)} or {`replay`, created ms, id, conversation};
--         {`reused`}, {`full`}, {`behind`}, {`busy`}, {`crowded`}, {`not_found`};
--         {`unknown`}: the archive must confirm the named conversation
-- errors  OOM at `maxmemory`
local function submit(keys, args)
  local scope, once = scope_of(keys), keys[scope_count + 1]
  local group, id, user = args[1], args[4], args[7]
  local earlier = once and earlier_submission(once, keys[scope_count + 2], args[12], args[13])
  if earlier then return earlier end
  local known = redis.call('HMGET', scope.conversation, 'user', 'deleted', 'active')
  if known[2] == user or (known[1] and known[1] ~= user) then return { 'not_found' } end
  if args[8] == 'named' and not known[1] then return { 'unknown' } end
  if redis.call('XLEN', scope.finished) >= tonumber(args[11]) then return { 'behind' } end
  local active, interrupted, age_sum, more = known[3], 0, 0, false
  if active and not is_open(scope, active) then
    begin_next(scope, group)
    active = redis.call('HGET', scope.conversation, 'active')
  end
  local delivered, waiting = group_state(scope.jobs, group)
  if waiting + redis.call('ZCARD', scope.waiting) >= tonumber(args[2]) then return { 'full' } end
  if active and args[9] == 'reject' then return { 'busy' } end
  if active and args[9] == 'interrupt' then
    interrupted, age_sum, more = stop_all(scope, group, active, stop_terms(args, 16))
    if more then return { 'stopped', interrupted, age_sum } end
    active = redis.call('HGET', scope.conversation, 'active')
  end
  if active and redis.call('LLEN', scope.queue) >= tonumber(args[10]) then return { 'crowded' } end
  local now = now_ms()
  local fields, about = { unpack(args, 16 + stop_term_count) }, { 'user', user }
  if args[8] == 'new' then
    about[3], about[4] = 'whole', 1
    fields[#fields + 1] = 'opening'
    fields[#fields + 1] = 1
  end
  local position, number = admit(scope, id, args[5], active, delivered, waiting, now, args[3], args[6], about, fields)
  if once then
    redis.call('SET', once, args[12] .. struct.pack('>I6', now) .. args[14], 'PX', args[15])
    -- For replicas of release 1.0, which may receive the repetition during an upgrade.
    redis.call('SET', keys[scope_count + 2],
      table.concat({ args[13], string.format('%.0f', now), id, scope.id }, ' '), 'PX', math.min(args[15], 600000))
  end
  return { 'ok', now, position, interrupted, age_sum, number }
end

-- reserve_key  Binds an idempotency key to the meaning of a request.
--
-- KEYS    once, idempotency
-- ARGV    meaning (8 bytes), meaning as `idempotency` stores it, TTL ms
-- returns 1; 0 if the key is bound to another meaning
-- errors  OOM at `maxmemory`
--
-- For a key in another slot than its conversation: the meaning is stored here first, then `submit` stores the key
-- beside the conversation.
local function reserve_key(keys, args)
  local former = redis.call('GET', keys[2])
  if former and string.match(former, '^%S+') ~= args[2] then return 0 end
  if redis.call('SET', keys[1], args[1], 'NX', 'PX', args[3]) then return 1 end
  return string.sub(redis.call('GET', keys[1]), 1, 8) == args[1] and 1 or 0
end

-- find_submission  Returns the request that an idempotency key stands for.
--
-- KEYS    once, idempotency
-- ARGV    meaning (8 bytes), meaning as `idempotency` stores it
-- returns {`replay`, created ms, ids (30 bytes)} or {`replay`, created ms, id, conversation}; {`reused`}; {`unknown`}
--
-- For a repetition while Redis rejects `submit` at `maxmemory`, or while a limit refuses new requests: nothing is to be
-- written for it.
local function find_submission(keys, args)
  return earlier_submission(keys[1], keys[2], args[1], args[2]) or { 'unknown' }
end
