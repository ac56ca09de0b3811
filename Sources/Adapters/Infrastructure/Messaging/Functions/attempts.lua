-- An attempt of a worker at a request: from its claim to its end or its next attempt.

-- claim  Begins an attempt of the worker that received a job.
--
-- KEYS    jobs, request, events
-- ARGV    group, consumer, entry, channel, TTL ms, max attempts, restart reason, data of `started` with a hole for the
--         attempt, data of `restarted` with another hole for the reason [, traceparent of the attempt's span, stored
--         for the attempt after it]
-- returns {`claimed`, `exhausted` or `cancelled`, attempt, ms from submission to first claim, fields as HGETALL, ms
--         from submission to this claim, reason of this attempt};
--         {`settled`}: the job is acknowledged or another consumer's; {`expired`}: the request expired and this call
--         noticed first
--
-- The marker fences all older attempts: from here on Redis rejects their ids.
local function claim(keys, args)
  local jobs, request, events = keys[1], keys[2], keys[3]
  local group, consumer, entry = args[1], args[2], args[3]
  if #redis.call('XPENDING', jobs, group, entry, entry, 1, consumer) == 0 then return { 'settled' } end
  local known = redis.call('HMGET', request, 'status', 'cancel', 'created', 'started', 'handovers', 'handing',
    'restart', 'redriveOf', 'traceParent')
  local status, cancel = known[1], known[2]
  local last, sequence, name = last_event(events)
  if not status or terminal[status] or not last then
    local was_first = acknowledge(jobs, group, entry) == 1
    -- A cancelled request may expire before its job is received, but a waiting one lives at least for the TTL.
    local age = now_ms() - tonumber(string.match(entry, '^%d+'))
    local ended = terminal[status or ''] or (not status and age < tonumber(args[5]))
    return { was_first and not ended and 'expired' or 'settled' }
  end
  local now = now_ms()
  local started = tonumber(known[4] or now)
  local queued, age = started - tonumber(known[3]), now - tonumber(known[3])
  -- An end that an earlier release wrote in part is completed like a cancellation: `finish` writes no second event.
  if cancel or terminal[name] then
    return { 'cancelled', last, queued, redis.call('HGETALL', request), age, 'first' }
  end

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
  local name, marker = 'started', fill(args[8], attempt)
  if attempt > 1 then
    name, marker = 'restarted', fill(args[9], attempt, reason)
  else
    reason = known[8] and 'redriven' or 'first'
  end
  append_and_publish(events, event_id(attempt, 0), name, marker, args[4])
  redis.call('HSET', request, 'status', 'running', 'attempts', attempt, 'started', started, 'entry', entry)
  redis.call('PEXPIRE', request, args[5])
  redis.call('PEXPIRE', events, args[5])
  -- With the span of the previous attempt. The span of a first attempt is in the trace of the submission.
  local fields, span = redis.call('HGETALL', request), args[10]
  if span and reason == 'first' and known[9] then
    span = string.sub(known[9], 1, 36) .. string.sub(span, 37, 52) .. string.sub(known[9], 53, 55)
  end
  if span then redis.call('HSET', request, 'attemptTrace', span) end
  return { 'claimed', attempt, queued, fields, age, reason }
end

-- finish  Ends a running request; no other function does.
--
-- KEYS    SCOPE [, dead]
-- ARGV    group, consumer, entry, attempt, sequence or '' for the next one, event name, data, id, status, TTL ms,
--         turns, bytes of a turn's text, reason of the dead letter, max dead letters, answer or '', then field,
--         value ...
-- returns {`finished`, `superseded` or `history_lost`, number of dropped dead letters}
--
-- At sequence 0 or the next one, the caller is not the writer of the last attempt: `answer` is ignored, and the text is
-- read here. With `dead`, the input of a new request is stored there.
local function finish(keys, args)
  local scope, dead, id = scope_of(keys), keys[scope_count + 1], args[8]
  local jobs, request, events = scope.jobs, scope.requests .. id, scope.events .. id
  local group, entry = args[1], args[3]
  local attempt = tonumber(args[4])
  local finisher = args[2] .. '/' .. args[4]
  local known = redis.call('HMGET', request, 'status', 'finisher')
  if not known[1] or terminal[known[1]] then
    acknowledge(jobs, group, entry)
    return { known[2] == finisher and 'finished' or 'superseded', 0 }
  end
  local last, sequence, name = last_event(events)
  local is_writer = args[5] ~= '' and args[5] ~= '0'
  local answer = is_writer and args[15] or text_of(events, last, sequence, name)
  if last and not terminal[name] then
    if last > attempt then return { 'superseded', 0 } end
    local place = sequence + 1
    if args[5] ~= '' then
      place = tonumber(args[5])
      if place > 0 and (last ~= attempt or sequence ~= place - 1) then
        note_lost(request, attempt, place - 1)
        return { 'history_lost', 0 }
      end
      if place == 0 and last == attempt then return { 'superseded', 0 } end
    end
    append_and_publish(events, event_id(attempt, place), args[6], args[7], scope.live .. id)
    note_end(request, attempt, place, last, sequence)
    redis.call('PEXPIRE', events, args[10])
  end
  -- Sequence 0 is the marker's: the attempt of that number never began.
  local attempts = args[5] == '0' and attempt - 1 or attempt
  local status = terminal[name] and name or args[9]
  conclude(scope, group, id, status, answer, args[10], { turns = tonumber(args[11]), bytes = tonumber(args[12]) },
    { 'attempts', attempts, 'finisher', finisher, unpack(args, 16) })
  local dropped = 0
  if dead then
    local fields = { 'v', '1', 'reason', args[13], 'id', id, 'entry', entry, 'attempts', attempts }
    for _, field in ipairs(present_fields(request, { 'errorKind', 'errorDetail', 'redriveOf' })) do
      fields[#fields + 1] = field
    end
    for _, field in ipairs(present_fields(request, input_fields)) do fields[#fields + 1] = field end
    dropped = add_dead_letter(dead, args[14], fields)
  end
  acknowledge(jobs, group, entry)
  return { 'finished', dropped }
end
