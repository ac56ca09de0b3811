#!lua name=lemma_@VERSION@

-- Everything that must happen together in Redis. One slot per call: all keys of a partition share its hash tag.
--
--   jobs     stream  v, id, provider                  one entry a job; consumer group `workers`
--   request  hash    see the field names below        one a request, TTL
--   events   stream  e (event name), d (JSON)         one a request, TTL; ids are <attempt>-<sequence>
--   idempotency string <meaning> <created ms> <id> <conversation>     one a client's key, 24 h
--   delayed  sorted set  <id> <provider> by due ms    requests between two attempts
--   dead     stream  v, reason, …                     jobs given up, with what a new request needs, or raw
--   finished stream  v, kind, id, …                   what the archive is to be told: `submitted`, then `finished` with
--                                                     the answer; deleted when kept; consumer group `persisters`
--   conversation hash  see below                      one a conversation, TTL
--   line     list    ids of requests that wait for the one before them in their conversation, oldest first; TTL
--   turns    list    id, problem, answer in turn      the newest turns of a conversation, oldest first; TTL
--   waiting  zset    <conversation> <id> by the moment (ms) somebody last looked after it: all that stand in lines
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

-- The attempt and sequence of a stream's last event; nil where the stream is gone.
local function last_event(events)
  local entries = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)
  if #entries == 0 then return nil end
  local attempt, sequence = string.match(entries[1][1], '^(%d+)-(%d+)$')
  return tonumber(attempt), tonumber(sequence)
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
local function append_and_publish(events, id, name, data, channel, time)
  if time then
    if not redis.call('XADD', events, 'NOMKSTREAM', id, 'e', name, 'd', data, 't', time) then return false end
    redis.call('SPUBLISH', channel, id .. ' ' .. time)
  elseif not redis.call('XADD', events, 'NOMKSTREAM', id, 'e', name, 'd', data) then
    return false
  end
  redis.call('SPUBLISH', channel, id .. ' ' .. name .. ' ' .. data)
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
  return { jobs = keys[1], waiting = keys[2], finished = keys[3], conversation = keys[4], line = keys[5],
    turns = keys[6], requests = keys[7], events = keys[8], live = keys[9], id = string.sub(keys[4], -36) }
end

local scope_count, day_ms = 9, 86400000

-- Turns never die before the hash, whose `whole` would then pass none for all there are.
local function let_live(conversation, turns, ms)
  redis.call('PEXPIRE', conversation, ms)
  redis.call('PEXPIRE', turns, ms)
end

-- False for a request that is over, has expired, or whose events are lost: nobody waits for it any more.
local function is_open(scope, id)
  local status = redis.call('HGET', scope.requests .. id, 'status')
  return status and not terminal[status] and redis.call('EXISTS', scope.events .. id) == 1
end

-- Returns 1 where it stood there, else 0.
local function leave_line(scope, id)
  redis.call('LREM', scope.line, 0, id)
  return redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id)
end

-- Writes a new request with its first event, and tells the archive: as a job, or at the end of its conversation's line.
local function admit(scope, id, provider, active, given, waiting, now, ttl, queued, fields)
  local request, events, position = scope.requests .. id, scope.events .. id, waiting + 1
  if active then
    position = waiting + redis.call('RPUSH', scope.line, id)
    redis.call('PEXPIRE', scope.line, day_ms)
    redis.call('ZADD', scope.waiting, now, scope.id .. ' ' .. id)
  else
    local entry = redis.call('XADD', scope.jobs, '*', 'v', '1', 'id', id, 'provider', provider)
    redis.call('HSET', request, 'entry', entry, 'number', given + position)
    redis.call('HSET', scope.conversation, 'active', id)
  end
  let_live(scope.conversation, scope.turns, day_ms)
  redis.call('HSET', request, 'v', '1', 'status', 'queued', 'attempts', 0, 'created', now, unpack(fields))
  redis.call('XADD', events, '0-1', 'e', 'queued', 'd', queued .. position .. '}')
  redis.call('PEXPIRE', request, ttl)
  redis.call('PEXPIRE', events, ttl)
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
    local known = redis.call('HMGET', request, 'status', 'wish')
    if known[1] == 'queued' then
      local given, waiting = queue_state(scope.jobs, group)
      local entry = redis.call('XADD', scope.jobs, '*', 'v', '1', 'id', id, 'provider', known[2] or '')
      redis.call('HSET', request, 'entry', entry, 'number', given + waiting + 1)
      redis.call('HSET', scope.conversation, 'active', id)
      return expired
    end
    if not known[1] then expired = expired + stood end
    id = redis.call('LPOP', scope.line)
  end
  redis.call('HDEL', scope.conversation, 'active')
  return expired
end

-- What goes with every end: status and facts, the record for the archive, the turn for later questions, and the next of
-- the conversation.
local function conclude(scope, group, id, status, answer, ttl, turns_max, facts)
  local request = scope.requests .. id
  redis.call('HSET', request, 'status', status, 'finished', now_ms(), unpack(facts))
  redis.call('PEXPIRE', request, ttl)
  -- All there is, its version among it: choosing would cost Redis more than the few fields that the archive ignores.
  local record = redis.call('HGETALL', request)
  redis.call('XADD', scope.finished, '*', 'kind', 'finished', 'id', id, 'answer', answer, unpack(record))
  local known = redis.call('HMGET', scope.conversation, 'active', 'deleted', 'user')
  -- Who is not its owner cannot have deleted it.
  if known[3] and known[2] ~= known[3] then
    if answer ~= '' then
      redis.call('RPUSH', scope.turns, id, by_name(record)['problem'], answer)
      redis.call('LTRIM', scope.turns, -3 * tonumber(turns_max), -1)
      redis.call('PEXPIRE', scope.turns, day_ms)
    end
    redis.call('HINCRBY', scope.conversation, 'unkept', 1)
  end
  if known[1] == id then begin_next(scope, group) else leave_line(scope, id) end
end

-- Ends a request that no worker has at the moment, or asks the worker that has it; see `cancel`.
-- Returns 'ended' with the ms since its submission, 'over' where it had ended, 'asked' or 'unknown'.
--
--   cut: reason, control channel, data of `cancelled` before and after the number of attempts, TTL ms, turns
local function stop(scope, group, id, cut)
  local request, events = scope.requests .. id, scope.events .. id
  local known = redis.call('HMGET', request, 'status', 'attempts', 'restart', 'partial', 'created')
  if not known[1] then return 'unknown' end
  if terminal[known[1]] then return 'over' end
  if known[1] == 'queued' or known[3] then
    local attempt, sequence = last_event(events)
    if attempt then
      append_and_publish(events, event_id(attempt, sequence + 1), 'cancelled', cut[3] .. known[2] .. cut[4],
        scope.live .. id)
      note_end(request, attempt, sequence + 1, attempt, sequence)
      redis.call('PEXPIRE', events, cut[5])
    end
    conclude(scope, group, id, 'cancelled', known[4] or '', cut[5], cut[6], { 'cancelReason', cut[1] })
    return 'ended', math.max(0, now_ms() - tonumber(known[5]))
  end
  redis.call('HSETNX', request, 'cancel', cut[1])
  redis.call('SPUBLISH', cut[2], 'cancel ' .. id .. ' ' .. cut[1])
  return 'asked'
end

-- Those who wait first, so that none of them begins. Returns for each that ended by this the ms since its submission.
local function stop_all(scope, group, active, cut)
  local ages = {}
  local function cut_off(id)
    local result, age = stop(scope, group, id, cut)
    if result == 'ended' then ages[#ages + 1] = age end
  end
  for _, id in ipairs(redis.call('LRANGE', scope.line, 0, -1)) do
    cut_off(id)
    leave_line(scope, id)
  end
  if active then cut_off(active) end
  return ages
end

-- submit  KEYS scope [idempotency]
--         ARGV group, max waiting, TTL ms, id, provider or '', queued data up to its position, meaning or '', user,
--              'new', 'named' or 'confirmed' conversation, wish for when it is busy, what `stop` takes (6), field, value …
-- returns {'ok', created ms, position, ms since its submission of each that was interrupted …}, {'replay', created ms, id, conversation}, {'reused'}, {'full', waiting},
--         {'busy'}, {'not_found'}, or {'unknown'} for a named conversation that must be looked up
local function submit(keys, args)
  local scope, idempotency = scope_of(keys), keys[scope_count + 1]
  local group, id, user = args[1], args[4], args[8]
  local earlier = idempotency and redis.call('GET', idempotency)
  if earlier then
    local meaning, created, id, conversation = string.match(earlier, '^(%S+) (%d+) (%S+) (%S+)')
    if meaning ~= args[7] then return { 'reused' } end
    return { 'replay', tonumber(created), id, conversation }
  end
  local known = redis.call('HMGET', scope.conversation, 'user', 'deleted', 'active')
  if known[2] == user or (known[1] and known[1] ~= user) then return { 'not_found' } end
  if args[9] == 'named' and not known[1] then return { 'unknown' } end
  local active, interrupted = known[3], {}
  if active and not is_open(scope, active) then
    begin_next(scope, group)
    active = redis.call('HGET', scope.conversation, 'active')
  end
  local given, waiting = queue_state(scope.jobs, group)
  if waiting + redis.call('ZCARD', scope.waiting) >= tonumber(args[2]) then return { 'full', waiting } end
  if active and args[10] == 'reject' then return { 'busy' } end
  if active and args[10] == 'interrupt' then
    interrupted = stop_all(scope, group, active, { unpack(args, 11, 16) })
    active = redis.call('HGET', scope.conversation, 'active')
  end
  local now = now_ms()
  redis.call('HSET', scope.conversation, 'user', user)
  local fields = { unpack(args, 17) }
  if args[9] == 'new' then
    redis.call('HSET', scope.conversation, 'whole', 1)
    redis.call('HSET', scope.requests .. id, 'opening', 1)
  end
  local position = admit(scope, id, args[5], active, given, waiting, now, args[3], args[6], fields)
  if idempotency then
    redis.call('SET', idempotency, table.concat({ args[7], string.format('%.0f', now), id, scope.id }, ' '),
      'PX', day_ms)
  end
  return { 'ok', now, position, unpack(interrupted) }
end

-- vouch   KEYS idempotency   ARGV meaning
-- returns 1, or 0 where the key stands for another meaning
--
-- For a key whose slot is not that of the conversation it is used in: what was asked under it is noted here first, and
-- the submission itself notes the key beside the conversation.
local function vouch(keys, args)
  if redis.call('SET', keys[1], args[1], 'NX', 'PX', day_ms) then return 1 end
  return string.match(redis.call('GET', keys[1]), '^%S+') == args[1] and 1 or 0
end

-- claim   KEYS jobs request events
--         ARGV group, consumer, entry, channel, TTL ms, max attempts, restart reason, end of the marker's data
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
    'restart', 'redriveOf')
  local status, cancel = known[1], known[2]
  local last, sequence = last_event(events)
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
  if cancel then return { 'cancelled', last, queued, redis.call('HGETALL', request), age, 'first' } end

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
  redis.call('HSET', request, 'status', 'running', 'attempts', attempt, 'started', started)
  redis.call('PEXPIRE', request, args[5])
  redis.call('PEXPIRE', events, args[5])
  return { 'claimed', attempt, queued, redis.call('HGETALL', request), age, reason }
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

-- promote   KEYS jobs delayed   ARGV count
-- returns how many requests whose pause is over became jobs again
local function promote(keys, args)
  local jobs, delayed = keys[1], keys[2]
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now_ms(), 'LIMIT', 0, args[1])
  for _, member in ipairs(due) do
    local id, provider = string.match(member, '^(%S+) (%S*)')
    redis.call('XADD', jobs, '*', 'v', '1', 'id', id, 'provider', provider)
    redis.call('ZREM', delayed, member)
  end
  return #due
end

-- finish  KEYS scope [dead]
--         ARGV group, consumer, entry, attempt, sequence or '' for after the last, event name, data, id, status, TTL ms,
--              turns, answer, field, value …
-- returns 'finished', 'superseded' or 'history_lost'; the one way in which a request that has begun ends
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
    return known[2] == finisher and 'finished' or 'superseded'
  end
  local last, sequence = last_event(events)
  if last then
    if last > attempt then return 'superseded' end
    local place = sequence + 1
    if args[5] ~= '' then
      place = tonumber(args[5])
      if place > 0 and (last ~= attempt or sequence ~= place - 1) then
        doubt(request, attempt, place - 1)
        return 'history_lost'
      end
      if place == 0 and last == attempt then return 'superseded' end
    end
    append_and_publish(events, event_id(attempt, place), args[6], args[7], scope.live .. id)
    note_end(request, attempt, place, last, sequence)
    redis.call('PEXPIRE', events, args[10])
  end
  -- At a marker's place the attempt of that number never began.
  local attempts = args[5] == '0' and attempt - 1 or attempt
  conclude(scope, group, id, args[9], args[12], args[10], args[11],
    { 'attempts', attempts, 'finisher', finisher, unpack(args, 13) })
  if dead then
    local fields = present(request, { 'errorKind', 'errorDetail', 'redriveOf' })
    for _, field in ipairs(present(request, input_fields)) do fields[#fields + 1] = field end
    redis.call('XADD', dead, '*', 'v', '1', 'reason', 'attempts_exhausted', 'id', id, 'entry', entry,
      'attempts', attempts, unpack(fields))
  end
  settle(jobs, group, entry)
  return 'finished'
end

-- cancel  KEYS scope   ARGV group, id, what `stop` takes
-- returns what `stop` does
--
-- A request that no worker has at the moment ends here: one that waits for its first attempt, and one between two
-- attempts. Its job stays where it is (an entry ahead of the group must not be deleted); the worker that gets it finds
-- the request over.
local function cancel(keys, args)
  return { stop(scope_of(keys), args[1], args[2], { unpack(args, 3) }) }
end

-- close   KEYS scope   ARGV group, user, what `stop` takes
-- returns 1 where the conversation is known to be the user's, 0 where it is not known here, or another's; then the ms
--         since its submission of each request that ended by this
--
-- Before a conversation is deleted for good: nothing goes on in it and nothing new begins.
local function close(keys, args)
  local scope = scope_of(keys)
  local known = redis.call('HMGET', scope.conversation, 'user', 'active')
  if known[1] and known[1] ~= args[2] then return { 0 } end
  redis.call('HSET', scope.conversation, 'deleted', args[2])
  redis.call('DEL', scope.turns)
  local ended = stop_all(scope, args[1], known[2], { unpack(args, 3) })
  redis.call('PEXPIRE', scope.conversation, day_ms)
  return { known[1] and 1 or 0, unpack(ended) }
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
  local active, status = redis.call('HGET', scope.conversation, 'active'), redis.call('HGET', request, 'status')
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

-- remember  KEYS conversation turns   ARGV turns, id, problem, answer …
--
-- Puts the archive's turns before those that are known, and so makes them whole.
local function remember(keys, args)
  local conversation, turns = keys[1], keys[2]
  local known = redis.call('HMGET', conversation, 'user', 'deleted', 'whole')
  if not known[1] or known[2] == known[1] or known[3] then return 0 end
  local newer, seen = redis.call('LRANGE', turns, 0, -1), {}
  for i = 1, #newer, 3 do seen[newer[i]] = true end
  redis.call('DEL', turns)
  for i = 2, #args, 3 do
    if not seen[args[i]] then redis.call('RPUSH', turns, args[i], args[i + 1], args[i + 2]) end
  end
  for i = 1, #newer, 3 do redis.call('RPUSH', turns, newer[i], newer[i + 1], newer[i + 2]) end
  redis.call('LTRIM', turns, -3 * tonumber(args[1]), -1)
  redis.call('HSET', conversation, 'whole', 1)
  let_live(conversation, turns, day_ms)
  return 1
end

-- kept    KEYS finished, conversation, turns …   ARGV group, TTL ms, entry, 1 for an end or 0 …
-- returns how many entries there were
local function kept(keys, args)
  local finished, group, count = keys[1], args[1], 0
  for i = 3, #args, 2 do
    redis.call('XACK', finished, group, args[i])
    if redis.call('XDEL', finished, args[i]) == 1 then
      count = count + 1
      local conversation, turns = keys[i - 1], keys[i]
      local known = args[i + 1] == '1' and redis.call('HMGET', conversation, 'unkept', 'active', 'deleted')
      if known and known[1] then
        local unkept = redis.call('HINCRBY', conversation, 'unkept', -1)
        if unkept <= 0 and not known[2] and not known[3] then let_live(conversation, turns, args[2]) end
      end
    end
  end
  return count
end

-- set_aside  KEYS finished dead   ARGV group, entry, reason, detail
--
-- Keeps a record that nobody can read or that the database refuses, with all its fields.
local function set_aside(keys, args)
  local entries = redis.call('XRANGE', keys[1], args[2], args[2])
  if #entries > 0 then
    redis.call('XADD', keys[2], '*', 'reason', args[3], 'detail', args[4], 'entry', args[2], unpack(entries[1][2]))
  end
  settle(keys[1], args[1], args[2])
  return 1
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
      local known = redis.call('HMGET', request, 'status', 'cancel')
      -- One that was cancelled before its claim is over, and expires as such.
      if not terminal[known[1]] then
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
      if redis.call('HGET', keys[i - 2], 'status') == 'running' then
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

-- bury    KEYS jobs dead   ARGV group, entry, reason, what the entry held
local function bury(keys, args)
  redis.call('XADD', keys[2], '*', 'v', '1', 'reason', args[3], 'entry', args[2], 'raw', args[4])
  settle(keys[1], args[1], args[2])
  return 1
end

-- redrive  KEYS scope dead
--          ARGV group, entry of the dead letter, new id, TTL ms, `queued` data up to its position
-- returns 'redriven', 'unknown' or 'unusable'; a dead letter is used up by it
local function redrive(keys, args)
  local scope, dead, id = scope_of(keys), keys[scope_count + 1], args[3]
  local entries = redis.call('XRANGE', dead, args[2], args[2])
  if #entries == 0 then return 'unknown' end
  local letter = by_name(entries[1][2])
  local known = redis.call('HMGET', scope.conversation, 'active', 'deleted')
  if not letter['problem'] or known[2] == letter['user'] then return 'unusable' end
  local active = known[1] and is_open(scope, known[1]) and known[1]
  local given, waiting = queue_state(scope.jobs, args[1])
  local fields = { 'redriveOf', letter['id'] }
  for _, name in ipairs(input_fields) do
    if letter[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = letter[name]
    end
  end
  redis.call('HSET', scope.conversation, 'user', letter['user'])
  admit(scope, id, letter['wish'] or '', active, given, waiting, now_ms(), args[4], args[5], fields)
  redis.call('XDEL', dead, args[2])
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
    local status = redis.call('HGET', request, 'status')
    if not status or terminal[status] then
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

local function register(name, callback, flags)
  redis.register_function { function_name = 'lemma_@VERSION@_' .. name, callback = callback, flags = flags }
end

register('submit', submit)
register('claim', claim)
register('append', append)
register('postpone', postpone)
register('promote', promote)
register('finish', finish)
register('cancel', cancel)
register('renew', renew, { 'allow-oom' })
register('take_over', take_over, { 'allow-oom' })
register('hand_back', hand_back, { 'allow-oom' })
register('queue', queue)
register('survey', survey, { 'no-writes' })
register('bury', bury)
register('redrive', redrive)
register('attend', attend)
register('leave', leave, { 'allow-oom' })
register('overdue', overdue, { 'no-writes' })
register('abandon', abandon, { 'allow-oom' })
register('retire', retire, { 'allow-oom' })
register('vouch', vouch)
register('close', close, { 'allow-oom' })
register('lines', lines, { 'no-writes' })
register('look_after', look_after)
register('recall', recall, { 'no-writes' })
register('remember', remember)
register('kept', kept, { 'allow-oom' })
register('set_aside', set_aside)
register('backlog', backlog, { 'no-writes' })
register('distrust', distrust, { 'allow-oom' })
