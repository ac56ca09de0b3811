-- Attempts after a pause.

-- schedule_retry  Ends an attempt and schedules the next one.
--
-- KEYS    jobs, request, events, delayed
-- ARGV    group, consumer, entry, attempt, delay ms, max attempts, id, requested provider or '', reason, error kind,
--         detail, the attempt's text
-- returns `postponed`: the job is acknowledged; `superseded`, `cancelled` or `exhausted`: nothing is scheduled
--
-- A released attempt does not count.
local function schedule_retry(keys, args)
  local jobs, request, events, delayed = keys[1], keys[2], keys[3], keys[4]
  local known = redis.call('HMGET', request, 'status', 'cancel', 'handovers', 'restart')
  local last = last_event(events)
  if not known[1] or terminal[known[1]] or not last or last > tonumber(args[4]) or known[4] then
    -- The request ended, another worker has it, or an earlier call whose reply was lost has scheduled the retry.
    return 'superseded'
  end
  redis.call('HSET', request, 'lastErrorKind', args[10], 'lastErrorDetail', args[11])
  if known[2] then return 'cancelled' end
  local handovers = tonumber(known[3] or 0) + (args[9] == 'handed_over' and 1 or 0)
  if last + 1 - handovers > tonumber(args[6]) then return 'exhausted' end
  -- `partial` is the answer if the request ends before its next attempt.
  redis.call('HSET', request, 'handovers', handovers, 'restart', args[9], 'partial', args[12])
  redis.call('ZADD', delayed, now_ms() + tonumber(args[5]), args[7] .. ' ' .. args[8])
  acknowledge(jobs, args[1], args[3])
  return 'postponed'
end

-- enqueue_due  Enqueues the requests whose pause is over.
--
-- KEYS    jobs, delayed, prefix of the requests' keys
-- ARGV    count
-- returns the number of enqueued requests
-- O(n) in `count`
local function enqueue_due(keys, args)
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
