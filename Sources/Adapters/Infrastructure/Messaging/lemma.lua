#!lua name=lemma_@VERSION@

-- Everything that must happen together in Redis. One slot per call: all keys of a partition share its hash tag.
--
--   jobs     stream  v, id, provider                  one entry a job; consumer group `workers`
--   request  hash    see the field names below        one a request, TTL
--   events   stream  e (event name), d (JSON)         one a request, TTL; ids are <attempt>-<sequence>
--   idempotency string <meaning> <created ms> <id> <conversation>     one a client's key, 24 h
--   delayed  sorted set  <id> <provider> by due ms    requests between two attempts
--   dead     stream  v, reason, …                     jobs given up, with what a new request needs, or raw
--   watched  zset    request ids by the moment (ms) from which they count as abandoned; only of requests with
--                    `onDisconnect: cancel` that somebody watches or has watched
--   viewers  zset    loops of API replicas with viewers, by the moment (ms) their word expires; one a request, TTL
--
-- @VERSION@ is a digest of this file, so that replicas of two releases use their own functions side by side.

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

local function append_and_publish(events, id, name, data, channel)
  if not redis.call('XADD', events, 'NOMKSTREAM', id, 'e', name, 'd', data) then return false end
  redis.call('SPUBLISH', channel, id .. ' ' .. name .. ' ' .. data)
  return true
end

local function settle(jobs, group, entry)
  redis.call('XACK', jobs, group, entry)
  redis.call('XDEL', jobs, entry)
end

-- submit  KEYS jobs request events [idempotency]
--         ARGV group, max waiting, TTL ms, id, provider or '', queued data up to its position, meaning or '',
--              conversation, field, value …
-- returns {'ok', created ms, position}, {'replay', created ms, id, conversation}, {'reused'} or {'full', waiting}
local function submit(keys, args)
  local jobs, request, events, idempotency = keys[1], keys[2], keys[3], keys[4]
  local earlier = idempotency and redis.call('GET', idempotency)
  if earlier then
    local meaning, created, id, conversation = string.match(earlier, '^(%S+) (%d+) (%S+) (%S+)$')
    if meaning ~= args[7] then return { 'reused' } end
    return { 'replay', tonumber(created), id, conversation }
  end
  local given, waiting = queue_state(jobs, args[1])
  if waiting >= tonumber(args[2]) then return { 'full', waiting } end
  local now, position = now_ms(), waiting + 1
  local entry = redis.call('XADD', jobs, '*', 'v', '1', 'id', args[4], 'provider', args[5])
  local number = given + position
  redis.call('HSET', request, 'v', '1', 'status', 'queued', 'attempts', 0, 'created', now, 'entry', entry,
    'number', number, unpack(args, 9))
  redis.call('XADD', events, '0-1', 'e', 'queued', 'd', args[6] .. position .. '}')
  redis.call('PEXPIRE', request, args[3])
  redis.call('PEXPIRE', events, args[3])
  if idempotency then
    redis.call('SET', idempotency, table.concat({ args[7], string.format('%.0f', now), args[4], args[8] }, ' '),
      'EX', 86400)
  end
  return { 'ok', now, position }
end

-- What a new request takes over from an earlier one.
local input_fields = { 'user', 'conversation', 'problem', 'wish', 'temperature', 'maxOutputTokens', 'onDisconnect',
  'onBusy' }

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

-- claim   KEYS jobs request events
--         ARGV group, consumer, entry, channel, TTL ms, max attempts, restart reason, end of the marker's data
-- returns {'claimed' | 'exhausted' | 'cancelled', attempt, ms from submission to first claim, fields}, or {'settled'}
--
-- The marker fences every older attempt: from here on Redis refuses their ids.
local function claim(keys, args)
  local jobs, request, events = keys[1], keys[2], keys[3]
  local group, consumer, entry = args[1], args[2], args[3]
  if #redis.call('XPENDING', jobs, group, entry, entry, 1, consumer) == 0 then return { 'settled' } end
  local known = redis.call('HMGET', request, 'status', 'cancel', 'created', 'started', 'handovers', 'handing',
    'restart')
  local status, cancel = known[1], known[2]
  local last, sequence = last_event(events)
  if not status or terminal[status] or not last then
    settle(jobs, group, entry)
    return { 'settled' }
  end
  local now = now_ms()
  local started = tonumber(known[4] or now)
  local queued = started - tonumber(known[3])
  if cancel then return { 'cancelled', last, queued, redis.call('HGETALL', request) } end

  local attempt = last + 1
  local handovers = tonumber(known[5] or 0)
  local reason = known[7] or args[7]
  if known[7] then redis.call('HDEL', request, 'restart') end
  if known[6] then
    reason, handovers = 'handed_over', handovers + 1
    redis.call('HDEL', request, 'handing')
    redis.call('HSET', request, 'handovers', handovers)
  end
  if attempt - handovers > tonumber(args[6]) then
    return { 'exhausted', attempt, queued, redis.call('HGETALL', request) }
  end
  local name, data = 'started', '{"attempt":' .. attempt .. ','
  if attempt > 1 then
    name, data = 'restarted', data .. '"reason":"' .. reason .. '",'
  end
  append_and_publish(events, event_id(attempt, 0), name, data .. args[8], args[4])
  redis.call('HSET', request, 'status', 'running', 'attempts', attempt, 'started', started)
  redis.call('PEXPIRE', request, args[5])
  redis.call('PEXPIRE', events, args[5])
  return { 'claimed', attempt, queued, redis.call('HGETALL', request) }
end

-- append  KEYS events   ARGV id, event name, data, channel
-- returns 1, or 0 where the stream is gone; refuses an id that is not greater than the last one
local function append(keys, args)
  return append_and_publish(keys[1], args[1], args[2], args[3], args[4]) and 1 or 0
end

-- postpone  KEYS jobs request events delayed
--           ARGV group, consumer, entry, attempt, delay ms, max attempts, id, provider or '', reason, error kind, detail
-- returns 'postponed', 'superseded', 'cancelled' or 'exhausted'; only the first gives the job up
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
  if last + 1 - tonumber(known[3] or 0) > tonumber(args[6]) then return 'exhausted' end
  redis.call('HSET', request, 'restart', args[9])
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
    local id, provider = string.match(member, '^(%S+) (.*)$')
    redis.call('XADD', jobs, '*', 'v', '1', 'id', id, 'provider', provider)
    redis.call('ZREM', delayed, member)
  end
  return #due
end

-- finish  KEYS jobs request events [dead]
--         ARGV group, consumer, entry, attempt, sequence or '' for after the last, event name, data, channel, status,
--              TTL ms, field, value …
-- returns 'finished', 'superseded' or 'history_lost'; the one way in which a request that has begun ends
--
-- With a dead-letter stream, what a new request needs is kept there.
local function finish(keys, args)
  local jobs, request, events, dead = keys[1], keys[2], keys[3], keys[4]
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
      if place > 0 and (last ~= attempt or sequence ~= place - 1) then return 'history_lost' end
      if place == 0 and last == attempt then return 'superseded' end
    end
    append_and_publish(events, event_id(attempt, place), args[6], args[7], args[8])
    redis.call('PEXPIRE', events, args[10])
  end
  -- At a marker's place the attempt of that number never began.
  local attempts = args[5] == '0' and attempt - 1 or attempt
  redis.call('HSET', request, 'status', args[9], 'attempts', attempts, 'finished', now_ms(), 'finisher', finisher,
    unpack(args, 11))
  redis.call('PEXPIRE', request, args[10])
  if dead then
    local fields = present(request, { 'errorKind', 'errorDetail', 'redriveOf' })
    for _, field in ipairs(present(request, input_fields)) do fields[#fields + 1] = field end
    redis.call('XADD', dead, '*', 'v', '1', 'reason', 'attempts_exhausted', 'id', string.match(request, '[^:]+$'),
      'entry', entry, 'attempts', attempts, unpack(fields))
  end
  settle(jobs, group, entry)
  return 'finished'
end

-- cancel  KEYS request events   ARGV reason, live channel, control channel, id, data of `cancelled` before and after the
--              number of attempts, TTL ms
-- returns 'over', 'asked' or 'unknown'
--
-- A request that no worker has at the moment ends here: one that waits for its first attempt, and one between two
-- attempts. Its job stays where it is (an entry ahead of the group must not be deleted); the worker that gets it finds
-- the request over.
local function cancel(keys, args)
  local request, events = keys[1], keys[2]
  local known = redis.call('HMGET', request, 'status', 'attempts', 'restart')
  if not known[1] then return 'unknown' end
  if terminal[known[1]] then return 'over' end
  if known[1] == 'queued' or known[3] then
    local attempt, sequence = last_event(events)
    if attempt then
      append_and_publish(events, event_id(attempt, sequence + 1), 'cancelled', args[5] .. known[2] .. args[6], args[2])
    end
    redis.call('HSET', request, 'status', 'cancelled', 'finished', now_ms())
    redis.call('PEXPIRE', request, args[7])
    redis.call('PEXPIRE', events, args[7])
    return 'over'
  end
  redis.call('HSETNX', request, 'cancel', args[1])
  redis.call('SPUBLISH', args[3], 'cancel ' .. args[4] .. ' ' .. args[1])
  return 'asked'
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

-- bury    KEYS jobs dead   ARGV group, entry, reason, what the entry held
local function bury(keys, args)
  redis.call('XADD', keys[2], '*', 'v', '1', 'reason', args[3], 'entry', args[2], 'raw', args[4])
  settle(keys[1], args[1], args[2])
  return 1
end

-- redrive  KEYS jobs dead request events   ARGV group, entry of the dead letter, new id, TTL ms, start of `queued` data
-- returns 'redriven', 'unknown' or 'unusable'; a dead letter is used up by it
local function redrive(keys, args)
  local jobs, dead, request, events = keys[1], keys[2], keys[3], keys[4]
  local entries = redis.call('XRANGE', dead, args[2], args[2])
  if #entries == 0 then return 'unknown' end
  local letter = by_name(entries[1][2])
  if not letter['problem'] then return 'unusable' end
  local given, waiting = queue_state(jobs, args[1])
  local entry = redis.call('XADD', jobs, '*', 'v', '1', 'id', args[3], 'provider', letter['wish'] or '')
  redis.call('HSET', request, 'v', '1', 'status', 'queued', 'attempts', 0, 'created', now_ms(), 'entry', entry,
    'number', given + waiting + 1, 'redriveOf', letter['id'])
  for _, name in ipairs(input_fields) do
    if letter[name] then redis.call('HSET', request, name, letter[name]) end
  end
  redis.call('XADD', events, '0-1', 'e', 'queued', 'd', args[5] .. letter['conversation'] .. '","position":'
    .. (waiting + 1) .. '}')
  redis.call('PEXPIRE', request, args[4])
  redis.call('PEXPIRE', events, args[4])
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

-- abandon KEYS watched request events viewers   ARGV as `cancel`
-- returns what `cancel` does, or 'watched' where somebody has come back
local function abandon(keys, args)
  local due = redis.call('ZSCORE', keys[1], args[4])
  if not due or tonumber(due) > now_ms() then return 'watched' end
  redis.call('ZREM', keys[1], args[4])
  redis.call('DEL', keys[4])
  return cancel({ keys[2], keys[3] }, args)
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
register('bury', bury)
register('redrive', redrive)
register('attend', attend)
register('leave', leave, { 'allow-oom' })
register('overdue', overdue, { 'no-writes' })
register('abandon', abandon, { 'allow-oom' })
register('retire', retire, { 'allow-oom' })
