#!lua name=lemma_@VERSION@

-- Everything that must happen together in Redis. One slot per call: all keys of a partition share its hash tag.
--
--   jobs     stream  v, id, provider                  one entry a job; consumer group `workers`
--   request  hash    see the field names below        one a request, TTL
--   events   stream  e (event name), d (JSON)         one a request, TTL; ids are <attempt>-<sequence>
--   once     string  one a client's idempotency key, TTL; 44 bytes: the first 8 of the meaning's digest, 6 of the time of
--                    submission in ms, 16 of the request's id, 14 of its conversation's (the last 2 are the request's);
--                    the first 8 alone where the submission itself is noted in another partition
--   idempotency string <meaning> <created ms> <id> <conversation>     the same as the release before has it, for 10 min
--   delayed  sorted set  <id> <provider> by due ms    requests between two attempts
--   dead     stream  v, reason, …                     jobs given up, with what a new request needs, or raw; bounded
--   finished stream  v, kind, id, …                   what the archive is to be told: `submitted`, then `finished` with
--                                                     the answer; deleted when kept; consumer group `persisters`
--   conversation hash  see below                      one a conversation, TTL
--   line     list    ids of requests that wait for the one before them in their conversation, oldest first; TTL
--   turns    list    id, problem, answer in turn      the newest turns of a conversation, oldest first; TTL. The id is
--                    followed by ` partial` where the answer has no end; texts are cut to what a context can hold
--   waiting  zset    <conversation> <id> by the moment (ms) somebody last looked after it: all that stand in lines
--   unfinished zset  ids of the requests that are not over, by the moment (ms) their job was last seen in the queue; TTL
--   watched  zset    request ids by the moment (ms) from which they count as abandoned; only of requests with
--                    `onDisconnect: cancel` that somebody watches or has watched
--   viewers  zset    loops of API replicas with viewers, by the moment (ms) their word expires; one a request, TTL
--
-- The fields of a conversation: `user` (its owner), `active` (the request that the others wait for), `whole` (no turn is
-- missing in `turns` but those before the first kept one), `unkept` (ended requests that the archive has not kept yet),
-- `deleted` (the user who deleted it). It lives a day, and as long as an ended request's stream when nothing goes on and
-- everything is kept.
--
-- @VERSION@ is a digest of this file, so that replicas of two releases use their own functions side by side. They share
-- the entries: a later release may add fields to hashes and stream entries, and words behind those of `idempotency` and
-- `delayed`, which are ignored here; what changes the meaning of an entry gets another `v`.

local terminal = { completed = true, failed = true, cancelled = true }

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function event_id(attempt, sequence)
  return string.format('%.0f-%.0f', attempt, sequence)
end

-- The attempt, sequence and name of a stream's last event; nil where the stream is gone.
local function last_event(events)
  local entries = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)
  if #entries == 0 then return nil end
  local attempt, sequence = string.match(entries[1][1], '^(%d+)-(%d+)$')
  return tonumber(attempt), tonumber(sequence), entries[1][2][2]
end

-- The first `max` bytes of a text in UTF-8, without a part of a character at their end.
local function clip(text, max)
  if #text <= max then return text end
  while max > 0 do
    local following = string.byte(text, max + 1)
    if following < 128 or following > 191 then break end
    max = max - 1
  end
  return string.sub(text, 1, max)
end

local function by_name(fields)
  local values = {}
  for i = 1, #fields, 2 do values[fields[i]] = fields[i + 1] end
  return values
end

-- How many jobs the group has been given, and how many wait; makes stream and group where they are missing.
--
-- A job's entry leaves the stream with its acknowledgement, so what waits is the length without what is pending. Redis'
-- own `lag` does not serve: it is unknown while the newest entry given out is deleted and an older one is not, and
-- `entries-read`, from which it follows, is neither in the append-only file nor on replicas (7.0).
local function queue_state(jobs, group)
  local groups = redis.pcall('XINFO', 'GROUPS', jobs)
  if not groups.err then
    for _, fields in ipairs(groups) do
      local state = by_name(fields)
      if state['name'] == group then
        local stream = by_name(redis.call('XINFO', 'STREAM', jobs))
        local waiting = math.max(0, stream['length'] - state['pending'])
        return stream['entries-added'] - waiting, waiting
      end
    end
  end
  redis.call('XGROUP', 'CREATE', jobs, group, '0', 'MKSTREAM')
  local stream = by_name(redis.call('XINFO', 'STREAM', jobs))
  return stream['entries-added'] - stream['length'], stream['length']
end

-- `time`, where it is given, is when a worker appended the event: kept with it, and told ahead of it in a message of its
-- own, which replicas of before leave out.
--
-- A push that fails must not end the function between two of its writes: readers find the event in the stream.
local function append_and_publish(events, id, name, data, channel, time)
  if time then
    if not redis.call('XADD', events, 'NOMKSTREAM', id, 'e', name, 'd', data, 't', time) then return false end
    redis.pcall('SPUBLISH', channel, id .. ' ' .. time)
  elseif not redis.call('XADD', events, 'NOMKSTREAM', id, 'e', name, 'd', data) then
    return false
  end
  redis.pcall('SPUBLISH', channel, id .. ' ' .. name .. ' ' .. data)
  return true
end

-- Notes the terminal event's id and the one before it: for the archive, whose replay has them.
local function note_end(request, attempt, sequence, before_attempt, before_sequence)
  redis.call('HSET', request, 'endId', event_id(attempt, sequence), 'beforeEndId',
    event_id(before_attempt, before_sequence))
end

-- Notes that clients may have the ids of an attempt up to this one of events that are lost: an attempt of the same number
-- may give them to others. Kept for each attempt, in `lost:<attempt>`; `lost` has the newest attempt alone, for replicas of
-- the release before.
local function doubt(request, attempt, sequence)
  local field = string.format('lost:%.0f', attempt)
  local known = redis.call('HMGET', request, 'status', 'lost', field)
  if not known[1] then return end
  if sequence > tonumber(known[3] or -1) then redis.call('HSET', request, field, string.format('%.0f', sequence)) end
  if known[2] then
    local before, upto = string.match(known[2], '^(%d+)-(%d+)$')
    redis.call('HSETNX', request, 'lost:' .. before, upto)
    before, upto = tonumber(before), tonumber(upto)
    if before > attempt or (before == attempt and upto >= sequence) then return end
  end
  redis.call('HSET', request, 'lost', event_id(attempt, sequence))
end

-- Adds a dead letter and drops the oldest above `max`; returns how many were dropped.
local function add_letter(dead, max, fields)
  redis.call('XADD', dead, '*', unpack(fields))
  return redis.call('XTRIM', dead, 'MAXLEN', max)
end

-- True where the group will still deliver a job's entry, or has delivered it to a consumer that has not acknowledged it.
local function is_queued(jobs, group, entry)
  if not entry or #redis.call('XRANGE', jobs, entry, entry) == 0 then return false end
  -- Without the group, which an operator destroyed, all entries will be delivered again.
  local pending = redis.pcall('XPENDING', jobs, group, entry, entry, 1)
  if pending.err or #pending > 0 then return true end
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', jobs)) do
    local state = by_name(fields)
    if state['name'] == group then
      local given_ms, given = string.match(state['last-delivered-id'], '^(%d+)-(%d+)$')
      local ms, number = string.match(entry, '^(%d+)-(%d+)$')
      given_ms, given, ms, number = tonumber(given_ms), tonumber(given), tonumber(ms), tonumber(number)
      return ms > given_ms or (ms == given_ms and number > given)
    end
  end
  return true
end

-- Returns 1 where this call took the entry away, 0 where it was gone.
local function settle(jobs, group, entry)
  redis.call('XACK', jobs, group, entry)
  return redis.call('XDEL', jobs, entry)
end

-- The given fields of a hash that it has: names and values in turn.
local function present(request, names)
  local values, found = redis.call('HMGET', request, unpack(names)), {}
  for i, name in ipairs(names) do
    if values[i] then
      found[#found + 1] = name
      found[#found + 1] = values[i]
    end
  end
  return found
end

-- What a new request takes over from an earlier one.
local input_fields = { 'user', 'conversation', 'problem', 'wish', 'temperature', 'maxOutputTokens', 'onDisconnect',
  'onBusy', 'traceParent', 'traceState' }

-- SCOPE: the keys that go with a conversation, which every function that begins or ends its requests gets first. The
-- last three are the beginnings of the names of its requests' keys and channels; an id makes the rest. All of them, and
-- so whatever is made of them, are in one slot.
local function scope_of(keys)
  return { jobs = keys[1], waiting = keys[2], finished = keys[3], unfinished = keys[4], conversation = keys[5],
    line = keys[6], turns = keys[7], requests = keys[8], events = keys[9], live = keys[10],
    id = string.sub(keys[5], -36) }
end

local scope_count, day_ms = 10, 86400000

-- The same for a conversation that only its request names; `jobs` is the partition's.
local function scope_at(jobs, conversation)
  local partition = string.sub(jobs, 1, -5)
  local keys = { jobs }
  for _, name in ipairs({ 'waiting', 'finished', 'unfinished', 'conversation:' .. conversation, 'line:' .. conversation,
    'turns:' .. conversation, 'request:', 'events:', 'live:' }) do
    keys[#keys + 1] = partition .. name
  end
  return scope_of(keys)
end

-- Requests ended in one call at most: each takes Redis about 50 us, in which it serves nobody else.
local stop_step = 100

-- Turns never die before the hash, whose `whole` would then pass none for all there are.
local function let_live(conversation, turns, ms)
  redis.call('PEXPIRE', conversation, ms)
  redis.call('PEXPIRE', turns, ms)
end

-- False for a request that is over, has expired, or whose events are lost: nobody waits for it any more.
local function is_open(scope, id)
  local status = redis.pcall('HGET', scope.requests .. id, 'status')
  return type(status) == 'string' and not terminal[status] and redis.call('EXISTS', scope.events .. id) == 1
end

-- Returns 1 where it stood there, else 0. The list is searched only then: many leave it together in `stop_all`.
local function leave_line(scope, id)
  if redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id) == 0 then return 0 end
  redis.call('LREM', scope.line, 0, id)
  return 1
end

-- Writes a new request with its first event, and tells the archive: as a job, or at the end of its conversation's line.
--
-- What may be refused comes first, and each key gets its expiry at once: should the user have lost a right (ACL), nothing
-- stays. `about` is what is noted of the conversation.
local function admit(scope, id, provider, active, given, waiting, now, ttl, queued, about, fields)
  local request, events, position = scope.requests .. id, scope.events .. id, waiting + 1
  if active then position = position + redis.call('LLEN', scope.line) end
  redis.call('PEXPIRE', events, ttl)
  redis.call('XADD', events, '0-1', 'e', 'queued', 'd', queued .. position .. '}')
  redis.call('PEXPIRE', events, ttl)
  redis.call('HSET', request, 'v', '1', 'status', 'queued', 'attempts', 0, 'created', now, unpack(fields))
  redis.call('PEXPIRE', request, ttl)
  redis.call('HSET', scope.conversation, unpack(about))
  let_live(scope.conversation, scope.turns, day_ms)
  if active then
    redis.call('RPUSH', scope.line, id)
    redis.call('PEXPIRE', scope.line, day_ms)
    redis.call('ZADD', scope.waiting, now, scope.id .. ' ' .. id)
  else
    local entry = redis.call('XADD', scope.jobs, '*', 'v', '1', 'id', id, 'provider', provider)
    redis.call('HSET', request, 'entry', entry, 'number', given + position)
    redis.call('HSET', scope.conversation, 'active', id)
  end
  redis.call('ZADD', scope.unfinished, now, id)
  redis.call('PEXPIRE', scope.unfinished, ttl)
  redis.call('XADD', scope.finished, '*', 'v', '1', 'kind', 'submitted', 'id', id, 'status', 'queued', 'created', now,
    unpack(fields))
  return position
end

-- Makes a job of the first in the conversation's line that still wants one; returns how many had expired before it.
local function begin_next(scope, group)
  local id, expired = redis.call('LPOP', scope.line), 0
  while id do
    local stood = redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id)
    local request = scope.requests .. id
    local known = redis.pcall('HMGET', request, 'status', 'wish')
    if known[1] == 'queued' then
      local given, waiting = queue_state(scope.jobs, group)
      local entry = redis.call('XADD', scope.jobs, '*', 'v', '1', 'id', id, 'provider', known[2] or '')
      redis.call('HSET', request, 'entry', entry, 'number', given + waiting + 1)
      redis.call('HSET', scope.conversation, 'active', id)
      return expired
    end
    if not known.err and not known[1] then expired = expired + stood end
    id = redis.call('LPOP', scope.line)
  end
  redis.call('HDEL', scope.conversation, 'active')
  return expired
end

-- What goes with every end: status and facts, the record for the archive, the turn for later questions, and the next of
-- the conversation. `kept` is how many turns are kept, and how many bytes of each of their texts.
local function conclude(scope, group, id, status, answer, ttl, kept, facts)
  local request = scope.requests .. id
  redis.call('HSET', request, 'status', status, 'finished', now_ms(), unpack(facts))
  redis.call('PEXPIRE', request, ttl)
  redis.call('ZREM', scope.unfinished, id)
  -- All there is, its version among it: choosing would cost Redis more than the few fields that the archive ignores.
  local record = redis.call('HGETALL', request)
  redis.call('XADD', scope.finished, '*', 'kind', 'finished', 'id', id, 'answer', answer, unpack(record))
  -- What something else has taken the place of is left alone: this function must not end between two of its writes.
  local known = redis.pcall('HMGET', scope.conversation, 'active', 'deleted', 'user')
  if known.err then return end
  -- Who is not its owner cannot have deleted it.
  if known[3] and known[2] ~= known[3] then
    if answer ~= '' then
      local name = status == 'completed' and id or id .. ' partial'
      redis.pcall('RPUSH', scope.turns, name, clip(by_name(record)['problem'], kept.bytes), clip(answer, kept.bytes))
      redis.pcall('LTRIM', scope.turns, -3 * kept.turns, -1)
      redis.call('PEXPIRE', scope.turns, day_ms)
    end
    redis.call('HINCRBY', scope.conversation, 'unkept', 1)
  end
  if known[1] == id then begin_next(scope, group) else leave_line(scope, id) end
end

-- What `stop` takes, from place `from` on: reason, control channel, data of `cancelled` before and after the number of
-- attempts, TTL ms, turns, bytes of a turn's text.
local function cut_of(args, from)
  return { reason = args[from], control = args[from + 1], before = args[from + 2], after = args[from + 3],
    ttl = args[from + 4], kept = { turns = tonumber(args[from + 5]), bytes = tonumber(args[from + 6]) } }
end

local cut_count = 7

-- The text of an attempt so far.
local function text_of(events, attempt)
  local texts = {}
  for _, entry in ipairs(redis.call('XRANGE', events, event_id(attempt, 0), string.format('%.0f', attempt))) do
    if entry[2][2] == 'token' then texts[#texts + 1] = cjson.decode(entry[2][4])['text'] end
  end
  return table.concat(texts)
end

-- Ends a request that no worker has at the moment, or asks the worker that has it; see `cancel`.
-- Returns 'ended' with the ms since its submission, 'over' where it had ended, 'asked' or 'unknown'.
local function stop(scope, group, id, cut)
  local request, events = scope.requests .. id, scope.events .. id
  local known = redis.pcall('HMGET', request, 'status', 'attempts', 'restart', 'partial', 'created', 'entry')
  if not known[1] then return 'unknown' end
  if terminal[known[1]] then return 'over' end
  -- A running one whose job an operator took out of the queue ends here, too: no other worker will get it.
  local is_orphan = known[1] ~= 'queued' and not known[3] and not is_queued(scope.jobs, group, known[6])
  if known[1] == 'queued' or known[3] or is_orphan then
    local attempt, sequence, name = last_event(events)
    local answer = known[4] or ''
    if is_orphan and attempt then
      answer = text_of(events, attempt)
      -- For a worker that does not know yet.
      redis.pcall('SPUBLISH', cut.control, 'cancel ' .. id .. ' ' .. cut.reason)
    end
    if attempt and not terminal[name] then
      append_and_publish(events, event_id(attempt, sequence + 1), 'cancelled', cut.before .. known[2] .. cut.after,
        scope.live .. id)
      note_end(request, attempt, sequence + 1, attempt, sequence)
      redis.call('PEXPIRE', events, cut.ttl)
    end
    local status = terminal[name] and name or 'cancelled'
    conclude(scope, group, id, status, answer, cut.ttl, cut.kept, { 'cancelReason', cut.reason })
    return 'ended', math.max(0, now_ms() - tonumber(known[5]))
  end
  redis.call('HSETNX', request, 'cancel', cut.reason)
  redis.pcall('SPUBLISH', cut.control, 'cancel ' .. id .. ' ' .. cut.reason)
  return 'asked'
end

-- Stops the requests of a conversation, at most `stop_step` of those that wait: they first, so that none of them begins.
-- Returns how many ended by this, the sum of the ms since their submission, and whether others wait still.
local function stop_all(scope, group, active, cut)
  local count, age_sum = 0, 0
  local function end_one(id)
    local result, age = stop(scope, group, id, cut)
    if result == 'ended' then count, age_sum = count + 1, age_sum + age end
  end
  local ids = redis.call('LPOP', scope.line, stop_step) or {}
  for _, id in ipairs(ids) do
    redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id)
    end_one(id)
  end
  if redis.call('EXISTS', scope.line) == 1 then return count, age_sum, true end
  if active then end_one(active) end
  return count, age_sum, false
end

-- The parts of what `once` holds.
local function noted(value)
  local created = struct.unpack('>I6', string.sub(value, 9, 14))
  return { meaning = string.sub(value, 1, 8), created = created, ids = string.sub(value, 15) }
end

-- What was submitted under a client's key before, as `submit` returns it; nil where nothing was.
local function replay(once, former, meaning, former_meaning)
  local value = redis.call('GET', once)
  if value then
    if string.sub(value, 1, 8) ~= meaning or #value < 44 then return { 'reused' } end
    local note = noted(value)
    return { 'replay', note.created, note.ids }
  end
  value = redis.call('GET', former)
  if not value then return nil end
  local text, created, id, conversation = string.match(value, '^(%S+) (%d+) (%S+) (%S+)')
  if text ~= former_meaning then return { 'reused' } end
  return { 'replay', tonumber(created), id, conversation }
end

-- submit  KEYS scope [once, idempotency]
--         ARGV group, max waiting, TTL ms, id, provider or '', queued data up to its position, user,
--              'new', 'named' or 'confirmed' conversation, wish for when it is busy, max waiting in the conversation,
--              max records that wait for the archive, meaning (8 bytes), the same as `idempotency` has it, ids (30 bytes),
--              TTL of the note in ms, what `stop` takes (7), field, value …
-- returns {'ok', created ms, position, interrupted, sum of their ms since submission}, {'stopped', count, sum of ms}
--         where the call is to be repeated, {'replay', created ms, ids (30 bytes), or id and conversation}, {'reused'},
--         {'full'}, {'behind'}, {'busy'}, {'crowded'}, {'not_found'}, or {'unknown'} for a named conversation that must
--         be looked up
local function submit(keys, args)
  local scope, once = scope_of(keys), keys[scope_count + 1]
  local group, id, user = args[1], args[4], args[7]
  local earlier = once and replay(once, keys[scope_count + 2], args[12], args[13])
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
  local given, waiting = queue_state(scope.jobs, group)
  if waiting + redis.call('ZCARD', scope.waiting) >= tonumber(args[2]) then return { 'full' } end
  if active and args[9] == 'reject' then return { 'busy' } end
  if active and args[9] == 'interrupt' then
    interrupted, age_sum, more = stop_all(scope, group, active, cut_of(args, 16))
    if more then return { 'stopped', interrupted, age_sum } end
    active = redis.call('HGET', scope.conversation, 'active')
  end
  if active and redis.call('LLEN', scope.line) >= tonumber(args[10]) then return { 'crowded' } end
  local now = now_ms()
  local fields, about = { unpack(args, 16 + cut_count) }, { 'user', user }
  if args[8] == 'new' then
    about[3], about[4] = 'whole', 1
    fields[#fields + 1] = 'opening'
    fields[#fields + 1] = 1
  end
  local position = admit(scope, id, args[5], active, given, waiting, now, args[3], args[6], about, fields)
  if once then
    redis.call('SET', once, args[12] .. struct.pack('>I6', now) .. args[14], 'PX', args[15])
    -- For replicas of the release before, which may get the repetition while they are replaced.
    redis.call('SET', keys[scope_count + 2],
      table.concat({ args[13], string.format('%.0f', now), id, scope.id }, ' '), 'PX', math.min(args[15], 600000))
  end
  return { 'ok', now, position, interrupted, age_sum }
end

-- vouch   KEYS once, idempotency   ARGV meaning (8 bytes), the same as `idempotency` has it, TTL ms
-- returns 1, or 0 where the key stands for another meaning
--
-- For a key whose slot is not that of the conversation it is used in: what was asked under it is noted here first, and
-- the submission itself notes the key beside the conversation.
local function vouch(keys, args)
  local former = redis.call('GET', keys[2])
  if former and string.match(former, '^%S+') ~= args[2] then return 0 end
  if redis.call('SET', keys[1], args[1], 'NX', 'PX', args[3]) then return 1 end
  return string.sub(redis.call('GET', keys[1]), 1, 8) == args[1] and 1 or 0
end

-- claim   KEYS jobs request events
--         ARGV group, consumer, entry, channel, TTL ms, max attempts, restart reason, end of the marker's data
--              [, traceparent of the attempt's span, kept for the attempt after it]
-- returns {'claimed' | 'exhausted' | 'cancelled', attempt, ms from submission to first claim, fields, ms from submission
--         to this claim, why there is this attempt}, {'settled'}, or {'expired'} where the request expired and this call
--         noticed it first
--
-- The marker fences every older attempt: from here on Redis refuses their ids.
local function claim(keys, args)
  local jobs, request, events = keys[1], keys[2], keys[3]
  local group, consumer, entry = args[1], args[2], args[3]
  if #redis.call('XPENDING', jobs, group, entry, entry, 1, consumer) == 0 then return { 'settled' } end
  local known = redis.call('HMGET', request, 'status', 'cancel', 'created', 'started', 'handovers', 'handing',
    'restart', 'redriveOf', 'traceParent')
  local status, cancel = known[1], known[2]
  local last, sequence, name = last_event(events)
  if not status or terminal[status] or not last then
    local was_first = settle(jobs, group, entry) == 1
    -- A cancelled request may be forgotten before its job is taken, but one that still waits lives for the TTL at least.
    local age = now_ms() - tonumber(string.match(entry, '^%d+'))
    local ended = terminal[status or ''] or (not status and age < tonumber(args[5]))
    return { was_first and not ended and 'expired' or 'settled' }
  end
  local now = now_ms()
  local started = tonumber(known[4] or now)
  local queued, age = started - tonumber(known[3]), now - tonumber(known[3])
  -- An end that a release before wrote in part is completed like a wish to cancel: `finish` writes no second event.
  if cancel or terminal[name] then return { 'cancelled', last, queued, redis.call('HGETALL', request), age, 'first' } end

  local attempt = last + 1
  local handovers = tonumber(known[5] or 0)
  local reason = known[7] or args[7]
  if known[7] then redis.call('HDEL', request, 'restart', 'partial') end
  if known[6] then
    reason, handovers = 'handed_over', handovers + 1
    redis.call('HDEL', request, 'handing')
    redis.call('HSET', request, 'handovers', handovers)
  end
  if attempt - handovers > tonumber(args[6]) then
    return { 'exhausted', attempt, queued, redis.call('HGETALL', request), age, reason }
  end
  local name, data = 'started', '{"attempt":' .. attempt .. ','
  if attempt > 1 then
    name, data = 'restarted', data .. '"reason":"' .. reason .. '",'
  else
    reason = known[8] and 'redriven' or 'first'
  end
  append_and_publish(events, event_id(attempt, 0), name, data .. args[8], args[4])
  redis.call('HSET', request, 'status', 'running', 'attempts', attempt, 'started', started, 'entry', entry)
  redis.call('PEXPIRE', request, args[5])
  redis.call('PEXPIRE', events, args[5])
  -- With the span of the attempt before. A first attempt's is in the trace of the submission.
  local fields, span = redis.call('HGETALL', request), args[9]
  if span and reason == 'first' and known[9] then
    span = string.sub(known[9], 1, 36) .. string.sub(span, 37, 52) .. string.sub(known[9], 53, 55)
  end
  if span then redis.call('HSET', request, 'attemptTrace', span) end
  return { 'claimed', attempt, queued, fields, age, reason }
end

-- append  KEYS events   ARGV id, event name, data, channel [, time of the append in microseconds since 1970]
-- returns 1, or 0 where the stream is gone; refuses an id that is not greater than the last one
local function append(keys, args)
  return append_and_publish(keys[1], args[1], args[2], args[3], args[4], args[5]) and 1 or 0
end

-- postpone  KEYS jobs request events delayed
--           ARGV group, consumer, entry, attempt, delay ms, max attempts, id, provider or '', reason, error kind, detail,
--                the attempt's text
-- returns 'postponed', 'superseded', 'cancelled' or 'exhausted'; only the first gives the job up
--
-- An attempt that is handed over does not count.
local function postpone(keys, args)
  local jobs, request, events, delayed = keys[1], keys[2], keys[3], keys[4]
  local known = redis.call('HMGET', request, 'status', 'cancel', 'handovers', 'restart')
  local last = last_event(events)
  if not known[1] or terminal[known[1]] or not last or last > tonumber(args[4]) or known[4] then
    -- Over, another's by now, or postponed already by a call whose answer was lost.
    return 'superseded'
  end
  redis.call('HSET', request, 'lastErrorKind', args[10], 'lastErrorDetail', args[11])
  if known[2] then return 'cancelled' end
  local handovers = tonumber(known[3] or 0) + (args[9] == 'handed_over' and 1 or 0)
  if last + 1 - handovers > tonumber(args[6]) then return 'exhausted' end
  -- Should the request end before its next attempt, `partial` is what there is of its answer.
  redis.call('HSET', request, 'handovers', handovers, 'restart', args[9], 'partial', args[12])
  redis.call('ZADD', delayed, now_ms() + tonumber(args[5]), args[7] .. ' ' .. args[8])
  settle(jobs, args[1], args[3])
  return 'postponed'
end

-- promote   KEYS jobs, delayed, beginning of the requests' keys   ARGV count
-- returns how many requests whose pause is over became jobs again
local function promote(keys, args)
  local jobs, delayed = keys[1], keys[2]
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now_ms(), 'LIMIT', 0, args[1])
  for _, member in ipairs(due) do
    local id, provider = string.match(member, '^(%S+) (%S*)')
    redis.call('ZREM', delayed, member)
    local entry = redis.call('XADD', jobs, '*', 'v', '1', 'id', id, 'provider', provider)
    local request = keys[3] .. id
    if redis.call('EXISTS', request) == 1 then redis.pcall('HSET', request, 'entry', entry) end
  end
  return #due
end

-- finish  KEYS scope [dead]
--         ARGV group, consumer, entry, attempt, sequence or '' for after the last, event name, data, id, status, TTL ms,
--              turns, bytes of a turn's text, reason of the dead letter, max dead letters, answer, field, value …
-- returns 'finished', 'superseded' or 'history_lost', then how many old dead letters were dropped; the one way in which a
--         request that has begun ends
--
-- With a dead-letter stream, what a new request needs is kept there.
local function finish(keys, args)
  local scope, dead, id = scope_of(keys), keys[scope_count + 1], args[8]
  local jobs, request, events = scope.jobs, scope.requests .. id, scope.events .. id
  local group, entry = args[1], args[3]
  local attempt = tonumber(args[4])
  local finisher = args[2] .. '/' .. args[4]
  local known = redis.call('HMGET', request, 'status', 'finisher')
  if not known[1] or terminal[known[1]] then
    settle(jobs, group, entry)
    return { known[2] == finisher and 'finished' or 'superseded', 0 }
  end
  local last, sequence, name = last_event(events)
  if last and not terminal[name] then
    if last > attempt then return { 'superseded', 0 } end
    local place = sequence + 1
    if args[5] ~= '' then
      place = tonumber(args[5])
      if place > 0 and (last ~= attempt or sequence ~= place - 1) then
        doubt(request, attempt, place - 1)
        return { 'history_lost', 0 }
      end
      if place == 0 and last == attempt then return { 'superseded', 0 } end
    end
    append_and_publish(events, event_id(attempt, place), args[6], args[7], scope.live .. id)
    note_end(request, attempt, place, last, sequence)
    redis.call('PEXPIRE', events, args[10])
  end
  -- At a marker's place the attempt of that number never began.
  local attempts = args[5] == '0' and attempt - 1 or attempt
  local status = terminal[name] and name or args[9]
  conclude(scope, group, id, status, args[15], args[10], { turns = tonumber(args[11]), bytes = tonumber(args[12]) },
    { 'attempts', attempts, 'finisher', finisher, unpack(args, 16) })
  local dropped = 0
  if dead then
    local fields = { 'v', '1', 'reason', args[13], 'id', id, 'entry', entry, 'attempts', attempts }
    for _, field in ipairs(present(request, { 'errorKind', 'errorDetail', 'redriveOf' })) do
      fields[#fields + 1] = field
    end
    for _, field in ipairs(present(request, input_fields)) do fields[#fields + 1] = field end
    dropped = add_letter(dead, args[14], fields)
  end
  settle(jobs, group, entry)
  return { 'finished', dropped }
end

-- cancel  KEYS scope   ARGV group, id, what `stop` takes
-- returns what `stop` does
--
-- A request that no worker has at the moment ends here: one that waits for its first attempt, and one between two
-- attempts. Its job stays where it is (an entry ahead of the group must not be deleted); the worker that gets it finds
-- the request over.
local function cancel(keys, args)
  return { stop(scope_of(keys), args[1], args[2], cut_of(args, 3)) }
end

-- close   KEYS scope
--         ARGV group, user, 1 where the archive has the conversation or 0, ms for which the deletion is remembered,
--              what `stop` takes (7)
-- returns 1 where the conversation is known to be the user's, 0 where it is not known here, or another's; how many
--         requests ended by this and the sum of the ms since their submission; 1 where the call is to be repeated
--
-- Before a conversation is deleted for good: nothing goes on in it, nothing new begins, and what was said in it is erased.
-- Of a conversation that is known neither here nor to the archive, nothing is written.
local function close(keys, args)
  local scope = scope_of(keys)
  local known = redis.call('HMGET', scope.conversation, 'user', 'active')
  if known[1] and known[1] ~= args[2] then return { 0, 0, 0, 0 } end
  if not known[1] and args[3] ~= '1' then return { 0, 0, 0, 0 } end
  redis.call('HSET', scope.conversation, 'deleted', args[2])
  -- Of one that only the archive knows, nothing is under way that a later word could bring back.
  redis.call('PEXPIRE', scope.conversation, known[1] and args[4] or 60000)
  local turns = redis.pcall('LRANGE', scope.turns, 0, -1)
  for i = 1, #turns, 3 do
    local id = string.sub(turns[i], 1, 36)
    redis.call('DEL', scope.events .. id)
    if redis.call('EXISTS', scope.requests .. id) == 1 then redis.pcall('HSET', scope.requests .. id, 'problem', '') end
  end
  redis.call('DEL', scope.turns)
  local count, age_sum, more = stop_all(scope, args[1], known[2], cut_of(args, 5))
  return { known[1] and 1 or 0, count, age_sum, more and 1 or 0 }
end

-- find    KEYS request   ARGV beginning of the conversations' keys
-- returns 1 where the request's conversation was deleted by its owner, else 0, and the request as HGETALL does
local function find(keys, args)
  local fields = redis.call('HGETALL', keys[1])
  if #fields == 0 then return { 0, fields } end
  local request = by_name(fields)
  local deleted = request['conversation']
    and redis.call('HGET', args[1] .. request['conversation'], 'deleted') == request['user']
  return { deleted and 1 or 0, fields }
end

-- What a client may claim to have of events that are lost: attempts beyond the last one stored, and the length of an
-- attempt, in events beside one for each millisecond since the submission.
local attempts_lost_max, events_beside_time = 4, 1000

-- distrust  KEYS request events   ARGV attempt, sequence, 'delivered' by a replica or 'claimed' by a client
-- returns 1, or 0 where the request cannot have had what a client claims
--
-- Called before anything is reported or done because of the loss. An attempt before the last one needs no note: its ids are
-- given to no other event.
local function distrust(keys, args)
  local attempt, sequence = tonumber(args[1]), tonumber(args[2])
  if args[3] == 'claimed' then
    local last, created = last_event(keys[2]), redis.call('HGET', keys[1], 'created')
    if not last or not created or attempt < last or attempt > last + attempts_lost_max then return 0 end
    if sequence > events_beside_time + math.max(0, now_ms() - tonumber(created)) then return 0 end
  end
  doubt(keys[1], attempt, sequence)
  return 1
end

-- lines   KEYS waiting   ARGV ms, count
-- returns up to `count` of those who stand in lines and whom nobody has looked after for so long
local function lines(keys, args)
  return redis.call('ZRANGEBYSCORE', keys[1], '-inf', now_ms() - tonumber(args[1]), 'LIMIT', 0, args[2])
end

-- look_after  KEYS scope   ARGV group, id, TTL ms
-- returns how many were found to have expired in their line
--
-- The line goes on by itself with the end of each request; this is for when one ended without a word, by its expiry or
-- with lost data.
local function look_after(keys, args)
  local scope, group, id = scope_of(keys), args[1], args[2]
  local request, events = scope.requests .. id, scope.events .. id
  local active, status = redis.call('HGET', scope.conversation, 'active'), redis.pcall('HGET', request, 'status')
  local expired = 0
  if active == id or status ~= 'queued' then
    local stood = leave_line(scope, id)
    if active ~= id and not status then expired = stood end
  else
    if not redis.call('LPOS', scope.line, id) then redis.call('RPUSH', scope.line, id) end
    redis.call('ZADD', scope.waiting, now_ms(), scope.id .. ' ' .. id)
    redis.call('PEXPIRE', request, args[3])
    redis.call('PEXPIRE', events, args[3])
    redis.call('PEXPIRE', scope.line, day_ms)
  end
  if not active or not is_open(scope, active) then expired = expired + begin_next(scope, group) end
  return expired
end

-- recall  KEYS conversation turns
-- returns 1 where no newer turn is missing, else 0, and id, problem, answer of each turn in turn
local function recall(keys, args)
  return { redis.call('HEXISTS', keys[1], 'whole'), redis.call('LRANGE', keys[2], 0, -1) }
end

-- remember  KEYS conversation turns   ARGV turns, bytes of a turn's text, id, problem, answer …
--
-- Puts the archive's turns before those that are known, and so makes them whole.
local function remember(keys, args)
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
  let_live(conversation, turns, day_ms)
  return 1
end

-- kept    KEYS finished, conversation, turns …   ARGV group, TTL ms, entry, 1 for an end or 0 …
-- returns how many entries there were
--
-- Publishes once for each conversation on its channel `kept`, for readers that wait for the archive.
local function kept(keys, args)
  local finished, group, count, told = keys[1], args[1], 0, {}
  for i = 3, #args, 2 do
    redis.call('XACK', finished, group, args[i])
    local conversation, turns = keys[i - 1], keys[i]
    if not told[conversation] then
      told[conversation] = true
      redis.pcall('SPUBLISH', (string.gsub(conversation, ':conversation:', ':kept:', 1)), '')
    end
    if redis.call('XDEL', finished, args[i]) == 1 then
      count = count + 1
      local known = args[i + 1] == '1' and redis.pcall('HMGET', conversation, 'unkept', 'active', 'deleted')
      if known and known[1] then
        local unkept = redis.call('HINCRBY', conversation, 'unkept', -1)
        if unkept <= 0 and not known[2] and not known[3] then let_live(conversation, turns, args[2]) end
      end
    end
  end
  return count
end

-- set_aside  KEYS finished dead   ARGV group, entry, reason, detail, max dead letters
-- returns how many old dead letters were dropped
--
-- Keeps a record that nobody can read or that the database refuses, with all its fields.
local function set_aside(keys, args)
  local entries, dropped = redis.call('XRANGE', keys[1], args[2], args[2]), 0
  if #entries > 0 then
    dropped = add_letter(keys[2], args[5],
      { 'reason', args[3], 'detail', args[4], 'entry', args[2], unpack(entries[1][2]) })
  end
  settle(keys[1], args[1], args[2])
  return dropped
end

-- backlog  KEYS finished
-- returns how many records wait to be kept, and the age of the oldest in ms
local function backlog(keys, args)
  local oldest = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)
  if #oldest == 0 then return { 0, 0 } end
  return { redis.call('XLEN', keys[1]), math.max(0, now_ms() - tonumber(string.match(oldest[1][1], '^%d+'))) }
end

-- renew   KEYS jobs, request, events …   ARGV group, consumer, TTL ms, entry …
-- returns for each entry 'ok', 'lost' or the reason of a cancellation
local function renew(keys, args)
  local jobs, group, consumer = keys[1], args[1], args[2]
  local report = {}
  for i = 4, #args do
    local entry, request, events = args[i], keys[2 * (i - 4) + 2], keys[2 * (i - 4) + 3]
    if #redis.call('XPENDING', jobs, group, entry, entry, 1, consumer) == 0 then
      report[#report + 1] = 'lost'
    else
      redis.call('XCLAIM', jobs, group, consumer, 0, entry, 'JUSTID')
      local known = redis.pcall('HMGET', request, 'status', 'cancel')
      -- A hash that something else has taken the place of must not cost the others their leases.
      if known.err then known = {} end
      -- One that was cancelled before its claim is over, and expires as such.
      if known[1] and not terminal[known[1]] then
        redis.call('PEXPIRE', request, args[3])
        redis.call('PEXPIRE', events, args[3])
      end
      report[#report + 1] = known[2] or 'ok'
    end
  end
  return report
end

-- take_over  KEYS jobs   ARGV group, consumer, idle ms, count
-- returns entries as XRANGE does
local function take_over(keys, args)
  local jobs, group, consumer = keys[1], args[1], args[2]
  local pending = redis.call('XPENDING', jobs, group, 'IDLE', args[3], '-', '+', args[4])
  local taken = {}
  for _, item in ipairs(pending) do
    local claimed = redis.call('XCLAIM', jobs, group, consumer, args[3], item[1])
    if #claimed > 0 and claimed[1] then
      taken[#taken + 1] = claimed[1]
    end
  end
  return taken
end

-- hand_back  KEYS jobs, request …   ARGV group, consumer, idle ms, entry …
-- returns how many were given up; the next take-over of any worker gets them at once
local function hand_back(keys, args)
  local jobs, group, consumer, count = keys[1], args[1], args[2], 0
  for i = 4, #args do
    if #redis.call('XPENDING', jobs, group, args[i], args[i], 1, consumer) > 0 then
      redis.call('XCLAIM', jobs, group, consumer, 0, args[i], 'IDLE', args[3], 'JUSTID')
      if redis.pcall('HGET', keys[i - 2], 'status') == 'running' then
        redis.call('HSET', keys[i - 2], 'handing', '1')
      end
      count = count + 1
    end
  end
  return count
end

-- queue   KEYS jobs   ARGV group
-- returns how many jobs the group has been given, and how many wait
local function queue(keys, args)
  return { queue_state(keys[1], args[1]) }
end

-- survey  KEYS jobs delayed dead waiting   ARGV group, ms of silence by which a job is handed over, claimed jobs looked at
-- returns how many jobs wait, are claimed, are delayed, are dead, and how many requests stand in lines; then the ms since
--         the oldest waiting job came, and since the claimed jobs' owner who is silent for longest was heard
--
-- What nobody looks after stays while others come and go, so that it is among the oldest claimed jobs soon: only those are
-- looked at.
local function survey(keys, args)
  local jobs, group = keys[1], args[1]
  local claimed, given, silence, age = 0, '0', 0, 0
  local groups = redis.pcall('XINFO', 'GROUPS', jobs)
  for _, fields in ipairs(groups.err and {} or groups) do
    local state = by_name(fields)
    if state['name'] == group then claimed, given = state['pending'], state['last-delivered-id'] end
  end
  if claimed > 0 then
    for _, item in ipairs(redis.call('XPENDING', jobs, group, '-', '+', args[3])) do
      local handed = tonumber(args[2])
      silence = math.max(silence, item[3] >= handed and item[3] - handed or item[3])
    end
  end
  local oldest = redis.call('XRANGE', jobs, '(' .. given, '+', 'COUNT', 1)
  if #oldest > 0 then age = math.max(0, now_ms() - tonumber(string.match(oldest[1][1], '^%d+'))) end
  return { math.max(0, redis.call('XLEN', jobs) - claimed), claimed, redis.call('ZCARD', keys[2]),
    redis.call('XLEN', keys[3]), redis.call('ZCARD', keys[4]), age, silence }
end

-- bury    KEYS jobs dead   ARGV group, entry, reason, max dead letters, what the entry held
-- returns how many old dead letters were dropped
local function bury(keys, args)
  local dropped = add_letter(keys[2], args[4], { 'v', '1', 'reason', args[3], 'entry', args[2], 'raw', args[5] })
  settle(keys[1], args[1], args[2])
  return dropped
end

-- discard KEYS jobs dead request events unfinished
--         ARGV group, entry, id, max dead letters, TTL ms, channel, data of `failed` before and after the number of
--              attempts, error kind, detail, turns, bytes of a turn's text, the answer so far
-- returns 1 where the request ended by this, else 0, and how many old dead letters were dropped
--
-- Ends a request that Redis cannot go on with: its record cannot be read, or something else has taken the place of one of
-- its keys. Each of the two may be what is broken; what can be read is kept and told as at any other end.
local function discard(keys, args)
  local jobs, dead, request, events, id = keys[1], keys[2], keys[3], keys[4], args[3]
  local known, ended = redis.pcall('HMGET', request, 'status', 'attempts', 'conversation', 'user', 'problem'), 0
  local is_readable = not known.err and known[1]
  local is_over = is_readable and terminal[known[1]]
  local letter = { 'v', '1', 'reason', 'unreadable', 'id', id, 'entry', args[2], 'errorKind', args[9],
    'errorDetail', args[10] }
  for _, field in ipairs(is_readable and present(request, input_fields) or {}) do letter[#letter + 1] = field end
  local kind = redis.call('TYPE', events).ok
  if kind == 'stream' and not is_over then
    local attempt, sequence, name = last_event(events)
    if attempt and not terminal[name] then
      ended = 1
      append_and_publish(events, event_id(attempt, sequence + 1), 'failed',
        args[7] .. (tonumber(is_readable and known[2] or 0) or 0) .. args[8], args[6])
      if is_readable then note_end(request, attempt, sequence + 1, attempt, sequence) end
    end
    redis.call('PEXPIRE', events, args[5])
  end
  if is_readable and not is_over then
    ended = 1
    local facts = { 'errorKind', args[9], 'errorDetail', args[10] }
    if known[3] and #known[3] == 36 and known[4] and known[5] then
      conclude(scope_at(jobs, known[3]), args[1], id, 'failed', args[13], args[5],
        { turns = tonumber(args[11]), bytes = tonumber(args[12]) }, facts)
    else
      redis.call('HSET', request, 'status', 'failed', 'finished', now_ms(), unpack(facts))
      redis.call('PEXPIRE', request, args[5])
    end
  end
  redis.call('ZREM', keys[5], id)
  local is_known = known.err or known[1] or kind ~= 'none'
  local dropped = is_known and not is_over and add_letter(dead, args[4], letter) or 0
  settle(jobs, args[1], args[2])
  return { ended, dropped }
end

-- unqueued  KEYS jobs delayed waiting unfinished, beginning of the requests' keys
--           ARGV group, ms, count, TTL ms, the time that an earlier call of the same sweep returned or ''
-- returns how many requests were looked at, of up to `count` whose job has not been seen for so long, and since when that
--         is; then id, job entry or '' and number of attempts of each that has none: neither in the queue, nor between two attempts, nor waiting in
--         its conversation. Those come again after a second, for the case that they are not ended
--
-- Entries go without Redis' knowledge only by an operator's hand (XDEL, XTRIM, XACK).
local function unqueued(keys, args)
  local jobs, delayed, waiting, unfinished = keys[1], keys[2], keys[3], keys[4]
  local now = now_ms()
  local seen_before = tonumber(args[5] or '') or now - tonumber(args[2])
  local found = { 0, seen_before }
  queue_state(jobs, args[1])
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', unfinished, '-inf', seen_before, 'LIMIT', 0, args[3])) do
    found[1] = found[1] + 1
    local known = redis.pcall('HMGET', keys[5] .. id, 'status', 'entry', 'wish', 'conversation', 'attempts')
    if not known.err and (not known[1] or terminal[known[1]]) then
      redis.call('ZREM', unfinished, id)
    elseif not known.err and (is_queued(jobs, args[1], known[2] or nil)
        or redis.call('ZSCORE', delayed, id .. ' ' .. (known[3] or ''))
        or redis.call('ZSCORE', waiting, (known[4] or '') .. ' ' .. id)) then
      redis.call('ZADD', unfinished, 'XX', now, id)
      redis.call('PEXPIRE', unfinished, args[4])
    else
      redis.call('ZADD', unfinished, 'XX', seen_before + 1000, id)
      found[#found + 1] = id
      found[#found + 1] = known[2] or ''
      found[#found + 1] = known[5] or '0'
    end
  end
  return found
end

-- name_job  KEYS request   ARGV entry
--
-- Notes the entry of a request's job, where a release before 1.1 has made it.
local function name_job(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then redis.call('HSET', keys[1], 'entry', args[1]) end
  return 1
end

-- redrive  KEYS scope dead
--          ARGV group, entry of the dead letter, new id, TTL ms, `queued` data up to its position
-- returns 'redriven', 'unknown', 'unreadable' or 'deleted' (its conversation is); a dead letter is used up by it
local function redrive(keys, args)
  local scope, dead, id = scope_of(keys), keys[scope_count + 1], args[3]
  local entries = redis.call('XRANGE', dead, args[2], args[2])
  if #entries == 0 then return 'unknown' end
  local letter = by_name(entries[1][2])
  local known = redis.call('HMGET', scope.conversation, 'active', 'deleted')
  if not letter['problem'] then return 'unreadable' end
  if known[2] == letter['user'] then return 'deleted' end
  local active = known[1] and is_open(scope, known[1]) and known[1]
  local given, waiting = queue_state(scope.jobs, args[1])
  local fields = { 'redriveOf', letter['id'] }
  for _, name in ipairs(input_fields) do
    if letter[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = letter[name]
    end
  end
  admit(scope, id, letter['wish'] or '', active, given, waiting, now_ms(), args[4], args[5], { 'user', letter['user'] },
    fields)
  redis.call('XDEL', dead, args[2])
  return 'redriven'
end

-- redrive_record  KEYS finished dead   ARGV entry of the dead letter
-- returns 'redriven', 'unknown' or 'unreadable'; a dead letter is used up by it
--
-- The record as it was before `set_aside`, whose own fields come first.
local function redrive_record(keys, args)
  local entries = redis.call('XRANGE', keys[2], args[1], args[1])
  if #entries == 0 then return 'unknown' end
  local fields = entries[1][2]
  if fields[1] ~= 'reason' or fields[3] ~= 'detail' or fields[5] ~= 'entry' or #fields < 8 then return 'unreadable' end
  redis.call('XADD', keys[1], '*', unpack(fields, 7))
  redis.call('XDEL', keys[2], args[1])
  return 'redriven'
end

-- attend  KEYS watched, request, viewers …   ARGV watcher, presence ms, grace ms, TTL ms, id …
--
-- Notes that `watcher` has viewers for the next `presence`. A request is due to be abandoned a grace after the last word
-- of the last watcher; what is over is forgotten.
local function attend(keys, args)
  local watched, now = keys[1], now_ms()
  local until_ms = now + tonumber(args[2])
  local due = until_ms + tonumber(args[3])
  for i = 5, #args do
    local id, request, viewers = args[i], keys[2 * (i - 4)], keys[2 * (i - 4) + 1]
    local status = redis.pcall('HGET', request, 'status')
    if type(status) ~= 'string' or terminal[status] then
      redis.call('ZREM', watched, id)
      redis.call('DEL', viewers)
    else
      redis.call('ZADD', viewers, until_ms, args[1])
      redis.call('PEXPIRE', viewers, args[2])
      redis.call('ZADD', watched, 'GT', due, id)
    end
  end
  redis.call('PEXPIRE', watched, args[4])
  return 1
end

-- leave   KEYS watched request viewers   ARGV watcher, grace ms, id
--
-- The watcher's last viewer has gone: with no other watcher left, the grace begins now.
local function leave(keys, args)
  local watched, request, viewers, now = keys[1], keys[2], keys[3], now_ms()
  local status = redis.call('HGET', request, 'status')
  if not status or terminal[status] then
    redis.call('ZREM', watched, args[3])
    redis.call('DEL', viewers)
    return 1
  end
  if redis.call('ZREM', viewers, args[1]) == 0 then return 0 end
  local last = redis.call('ZRANGE', viewers, -1, -1, 'WITHSCORES')
  local from = math.max(now, tonumber(last[2] or 0))
  redis.call('ZADD', watched, 'XX', from + tonumber(args[2]), args[3])
  return 1
end

-- overdue KEYS watched   ARGV count
-- returns how many requests are watched or were, the time in ms, then the ids of up to `count` that are abandoned
local function overdue(keys, args)
  local now = now_ms()
  local ids = redis.call('ZRANGEBYSCORE', keys[1], '-inf', now, 'LIMIT', 0, args[1])
  return { redis.call('ZCARD', keys[1]), now, unpack(ids) }
end

-- abandon KEYS scope watched viewers   ARGV as `cancel`
-- returns what `cancel` does, or {'watched'} where somebody has come back
local function abandon(keys, args)
  local watched, viewers, id = keys[scope_count + 1], keys[scope_count + 2], args[2]
  local due = redis.call('ZSCORE', watched, id)
  if not due or tonumber(due) > now_ms() then return { 'watched' } end
  redis.call('ZREM', watched, id)
  redis.call('DEL', viewers)
  return cancel(keys, args)
end

-- retire  KEYS jobs   ARGV group, idle ms, consumer or '' for any
-- returns how many consumers were removed
--
-- Only those that own nothing: XGROUP DELCONSUMER drops what is pending. A live one that had no job for that long is
-- made again by its next.
local function retire(keys, args)
  local jobs, group, count = keys[1], args[1], 0
  local consumers = redis.pcall('XINFO', 'CONSUMERS', jobs, group)
  if consumers.err then return 0 end
  for _, fields in ipairs(consumers) do
    local state = by_name(fields)
    if state['pending'] == 0 and state['idle'] >= tonumber(args[2])
        and (args[3] == '' or args[3] == state['name']) then
      redis.call('XGROUP', 'DELCONSUMER', jobs, group, state['name'])
      count = count + 1
    end
  end
  return count
end

-- eviction  KEYS jobs
-- returns Redis' `maxmemory-policy`, or '' where the user may not ask for it
local function eviction(keys, args)
  local info = redis.pcall('INFO', 'memory')
  return type(info) == 'string' and string.match(info, 'maxmemory_policy:([%w-]+)') or ''
end

-- What the functions and the clients beside them do, on keys that end with what is in them.
local commands = {
  { 'TIME' }, { 'EXISTS', ':text' }, { 'TYPE', ':text' },
  { 'SET', ':text', '1', 'PX', '1000' }, { 'GET', ':text' },
  { 'HSET', ':hash', 'a', '1' }, { 'HSETNX', ':hash', 'a', '1' }, { 'HGET', ':hash', 'a' }, { 'HMGET', ':hash', 'a' },
  { 'HGETALL', ':hash' }, { 'HEXISTS', ':hash', 'a' }, { 'HINCRBY', ':hash', 'a', '1' }, { 'HDEL', ':hash', 'b' },
  { 'RPUSH', ':list', '1' }, { 'LRANGE', ':list', '0', '-1' }, { 'LLEN', ':list' }, { 'LPOS', ':list', '1' },
  { 'LTRIM', ':list', '0', '-1' }, { 'LREM', ':list', '0', '2' }, { 'LPOP', ':list' },
  { 'ZADD', ':set', '1', 'a' }, { 'ZSCORE', ':set', 'a' }, { 'ZCARD', ':set' }, { 'ZRANGE', ':set', '0', '-1' },
  { 'ZRANGEBYSCORE', ':set', '0', '1' }, { 'ZREM', ':set', 'b' },
  { 'XADD', ':stream', '1-1', 'a', '1' }, { 'XLEN', ':stream' }, { 'XRANGE', ':stream', '-', '+' },
  { 'XREVRANGE', ':stream', '+', '-' }, { 'XREAD', 'STREAMS', ':stream', '0' }, { 'XTRIM', ':stream', 'MAXLEN', '9' }, { 'XINFO', 'STREAM', ':stream' },
  { 'XGROUP', 'CREATE', ':stream', 'g', '0' }, { 'XINFO', 'GROUPS', ':stream' },
  { 'XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', ':stream', '>' }, { 'XINFO', 'CONSUMERS', ':stream', 'g' },
  { 'XPENDING', ':stream', 'g' }, { 'XCLAIM', ':stream', 'g', 'c', '0', '1-1', 'JUSTID' }, { 'XACK', ':stream', 'g', '1-1' },
  { 'XGROUP', 'DELCONSUMER', ':stream', 'g', 'c' }, { 'XDEL', ':stream', '1-1' },
}

-- rights  KEYS probe   ARGV channel
-- returns what this user may not do of that, such as 'XADD', 'the keys lemma:*' or 'the channels lemma:*'
--
-- Asked on every fresh connection: a function that were refused a command half-way would leave what it has written.
local function rights(keys, args)
  local missing, seen = {}, {}
  local function is_allowed(words)
    local reply = redis.pcall(unpack(words))
    local refusal = type(reply) == 'table' and reply.err
    if not refusal or not string.find(refusal, "The user executing the script can't", 1, true) then return true end
    local name = words[1]
    if words[1] == 'XINFO' or words[1] == 'XGROUP' then name = name .. '|' .. words[2] end
    if string.find(refusal, 'keys', 1, true) then name = 'the keys lemma:*' end
    if string.find(refusal, 'channel', 1, true) then name = 'the channels lemma:*' end
    if not seen[name] then missing[#missing + 1] = name end
    seen[name] = true
    return false
  end
  local kinds = { ':text', ':hash', ':list', ':set', ':stream' }
  is_allowed({ 'SPUBLISH', args[1], '' })
  local may_clean = is_allowed({ 'PEXPIRE', keys[1], '1000' }) and is_allowed({ 'DEL', keys[1] })
  for _, template in ipairs(may_clean and commands or {}) do
    local words = {}
    for i, word in ipairs(template) do words[i] = string.sub(word, 1, 1) == ':' and keys[1] .. word or word end
    is_allowed(words)
  end
  for _, kind in ipairs(may_clean and kinds or {}) do redis.call('DEL', keys[1] .. kind) end
  return missing
end

-- The functions that accept new work are refused where `maxmemory` is reached. What has been accepted goes on and ends,
-- which is what gives memory back: those functions may exceed it.
local function register(name, callback, flags)
  redis.register_function { function_name = 'lemma_@VERSION@_' .. name, callback = callback, flags = flags }
end

-- The library's loading knows neither `pairs` nor `ipairs`.
local function register_all(functions, flags)
  for i = 1, #functions, 2 do register(functions[i], functions[i + 1], flags) end
end

register_all({
  'submit', submit, 'vouch', vouch, 'redrive', redrive, 'redrive_record', redrive_record, 'remember', remember,
})
register_all({
  'claim', claim, 'append', append, 'postpone', postpone, 'promote', promote, 'finish', finish, 'cancel', cancel,
  'renew', renew, 'take_over', take_over, 'hand_back', hand_back, 'queue', queue, 'bury', bury, 'discard', discard,
  'unqueued', unqueued, 'name_job', name_job, 'attend', attend, 'leave', leave, 'abandon', abandon, 'retire', retire,
  'close', close, 'look_after', look_after, 'kept', kept, 'set_aside', set_aside, 'distrust', distrust,
  'rights', rights,
}, { 'allow-oom' })
register_all({
  'survey', survey, 'overdue', overdue, 'lines', lines, 'recall', recall, 'backlog', backlog, 'find', find,
  'eviction', eviction,
}, { 'no-writes' })
