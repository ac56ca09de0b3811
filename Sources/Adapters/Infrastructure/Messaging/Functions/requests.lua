-- The end of a request, and its cancellation.

-- Requests ended in one call at most. Each takes Redis about 50 us, in which it serves no other client.
local stop_step = 100

-- Ends a request: status and facts, the record for the archive, the turn for later problems, and the start of the
-- next request of the conversation. `kept` is the number of turns stored and the bytes of each of their texts.
local function conclude(scope, group, id, status, answer, ttl, kept, facts)
  local request = scope.requests .. id
  redis.call('HSET', request, 'status', status, 'finished', now_ms(), unpack(facts))
  redis.call('PEXPIRE', request, ttl)
  redis.call('ZREM', scope.unfinished, id)
  publish_end(scope.ended .. id)
  -- All fields, with the version: a selection would cost Redis more than the few fields that the archive ignores.
  local record = redis.call('HGETALL', request)
  redis.call('XADD', scope.finished, '*', 'kind', 'finished', 'id', id, 'answer', answer, unpack(record))
  -- A conversation key of another type is left alone: this function must not end between two of its writes.
  local known = redis.pcall('HMGET', scope.conversation, 'active', 'deleted', 'user')
  if known.err then return end
  -- Only the owner can have deleted it.
  if known[3] and known[2] ~= known[3] then
    if answer ~= '' then
      local name = status == 'completed' and id or id .. ' partial'
      redis.pcall('RPUSH', scope.turns, name, clip(by_name(record)['problem'], kept.bytes), clip(answer, kept.bytes))
      redis.pcall('LTRIM', scope.turns, -3 * kept.turns, -1)
      redis.call('PEXPIRE', scope.turns, day_ms)
    end
    redis.call('HINCRBY', scope.conversation, 'unkept', 1)
  end
  if known[1] == id then begin_next(scope, group) else leave_queue(scope, id) end
end

-- Reads what `stop` takes from the arguments `from` on: reason, control channel, data of `cancelled` with a hole for the
-- number of attempts, TTL ms, turns, bytes of a turn's text.
local stop_term_count = 6

local function stop_terms(args, from)
  return { reason = args[from], control = args[from + 1], data = args[from + 2], ttl = args[from + 3],
    kept = { turns = tonumber(args[from + 4]), bytes = tonumber(args[from + 5]) } }
end

-- Ends a request that no worker runs, or asks its worker to cancel it; see `cancel`.
--
-- Returns `ended` with the ms since its submission; `over` if it had ended; `asked`; or `unknown`.
local function stop(scope, group, id, terms)
  local request, events = scope.requests .. id, scope.events .. id
  local known = redis.pcall('HMGET', request, 'status', 'attempts', 'restart', 'partial', 'created', 'entry')
  if not known[1] then return 'unknown' end
  if terminal[known[1]] then return 'over' end
  -- A running request whose job an operator removed from the queue ends here, too: no worker will receive it.
  local is_orphan = known[1] ~= 'queued' and not known[3] and not is_queued(scope.jobs, group, known[6])
  if known[1] == 'queued' or known[3] or is_orphan then
    local attempt, sequence, name = last_event(events)
    local answer = known[4] or ''
    if is_orphan and attempt then
      answer = text_of(events, attempt, sequence, name)
      -- For a worker that still runs it.
      redis.pcall('SPUBLISH', terms.control, 'cancel ' .. id .. ' ' .. terms.reason)
    end
    if attempt and not terminal[name] then
      append_and_publish(events, event_id(attempt, sequence + 1), 'cancelled', fill(terms.data, known[2]),
        scope.live .. id)
      note_end(request, attempt, sequence + 1, attempt, sequence)
      redis.call('PEXPIRE', events, terms.ttl)
    end
    local status = terminal[name] and name or 'cancelled'
    conclude(scope, group, id, status, answer, terms.ttl, terms.kept, { 'cancelReason', terms.reason })
    return 'ended', math.max(0, now_ms() - tonumber(known[5]))
  end
  redis.call('HSETNX', request, 'cancel', terms.reason)
  redis.pcall('SPUBLISH', terms.control, 'cancel ' .. id .. ' ' .. terms.reason)
  return 'asked'
end

-- Stops the requests of a conversation, at most `stop_step` of the waiting ones, which come first, so that none of
-- them starts.
--
-- Returns the number of requests ended by this call, the sum of the ms since their submission, and true if others
-- still wait.
local function stop_all(scope, group, active, terms)
  local count, age_sum = 0, 0
  local function end_one(id)
    local result, age = stop(scope, group, id, terms)
    if result == 'ended' then count, age_sum = count + 1, age_sum + age end
  end
  local ids = redis.call('LPOP', scope.queue, stop_step) or {}
  for _, id in ipairs(ids) do
    redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id)
    end_one(id)
  end
  if redis.call('EXISTS', scope.queue) == 1 then return count, age_sum, true end
  if active then end_one(active) end
  return count, age_sum, false
end

-- cancel  Ends a request that no worker runs, or asks its worker to end it.
--
-- KEYS    SCOPE
-- ARGV    group, id, then the terms of `stop` (6)
-- returns `ended` and the ms since the submission, `over`, `asked` or `unknown`
--
-- A request that waits for its first attempt or between two attempts ends here. Its job stays in the stream, because
-- an entry ahead of the group must not be deleted; the worker that receives it finds the request over.
local function cancel(keys, args)
  return { stop(scope_of(keys), args[1], args[2], stop_terms(args, 3)) }
end

-- read_request  Returns a request and whether its conversation is deleted.
--
-- KEYS    request
-- ARGV    prefix of the conversations' keys
-- returns 1 if the owner deleted the conversation, else 0; then the fields as HGETALL does, empty for an unknown
--         request
local function read_request(keys, args)
  local fields = redis.call('HGETALL', keys[1])
  if #fields == 0 then return { 0, fields } end
  local request = by_name(fields)
  local deleted = request['conversation']
    and redis.call('HGET', args[1] .. request['conversation'], 'deleted') == request['user']
  return { deleted and 1 or 0, fields }
end

-- read_statuses  Returns the status of requests.
--
-- KEYS    request ...
-- ARGV    none
-- returns the status of each, '' for an unknown request
-- O(n) in the requests
local function read_statuses(keys)
  local statuses = {}
  for i, request in ipairs(keys) do
    local status = redis.pcall('HGET', request, 'status')
    statuses[i] = type(status) == 'string' and status or ''
  end
  return statuses
end
