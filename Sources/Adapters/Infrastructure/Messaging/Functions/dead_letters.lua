-- Jobs that cannot run, and their redrive.

-- dead_letter_job  Moves an unreadable entry of the job stream to the dead letters.
--
-- KEYS    jobs, dead
-- ARGV    group, entry, reason, max dead letters, text of the entry
-- returns the number of dropped dead letters
local function dead_letter_job(keys, args)
  local dropped = add_dead_letter(keys[2], args[4], { 'v', '1', 'reason', args[3], 'entry', args[2], 'raw', args[5] })
  acknowledge(keys[1], args[1], args[2])
  return dropped
end

-- fail_unreadable  Ends a request whose record cannot be read, or one of whose keys has another type.
--
-- KEYS    jobs, dead, request, events, unfinished
-- ARGV    group, entry, id, max dead letters, TTL ms, channel, channel of the end, data of `failed` with a hole for the
--         number of attempts, error kind, detail, turns, bytes of a turn's text
-- returns 1 if this call ended the request, else 0; then the number of dropped dead letters
--
-- Either key may be the broken one; what can be read is stored and published as at any other end.
local function fail_unreadable(keys, args)
  local jobs, dead, request, events, id = keys[1], keys[2], keys[3], keys[4], args[3]
  local known, ended = redis.pcall('HMGET', request, 'status', 'attempts', 'conversation', 'user', 'problem'), 0
  local is_readable = not known.err and known[1]
  local is_over = is_readable and terminal[known[1]]
  local dead_letter = { 'v', '1', 'reason', 'unreadable', 'id', id, 'entry', args[2], 'errorKind', args[9],
    'errorDetail', args[10] }
  for _, field in ipairs(is_readable and present_fields(request, input_fields) or {}) do
    dead_letter[#dead_letter + 1] = field
  end
  local kind, answer = redis.call('TYPE', events).ok, ''
  if kind == 'stream' and not is_over then
    local attempt, sequence, name = last_event(events)
    answer = text_of(events, attempt, sequence, name)
    if attempt and not terminal[name] then
      ended = 1
      append_and_publish(events, event_id(attempt, sequence + 1), 'failed',
        fill(args[8], tonumber(is_readable and known[2] or 0) or 0), args[6])
      if is_readable then note_end(request, attempt, sequence + 1, attempt, sequence) end
    end
    redis.call('PEXPIRE', events, args[5])
  end
  if is_readable and not is_over then
    ended = 1
    local facts = { 'errorKind', args[9], 'errorDetail', args[10] }
    if known[3] and #known[3] == 36 and known[4] and known[5] then
      conclude(scope_at(jobs, known[3]), args[1], id, 'failed', answer, args[5],
        { turns = tonumber(args[11]), bytes = tonumber(args[12]) }, facts)
    else
      redis.call('HSET', request, 'status', 'failed', 'finished', now_ms(), unpack(facts))
      redis.call('PEXPIRE', request, args[5])
      publish_end(args[7])
    end
  end
  redis.call('ZREM', keys[5], id)
  local is_known = known.err or known[1] or kind ~= 'none'
  local dropped = is_known and not is_over and add_dead_letter(dead, args[4], dead_letter) or 0
  acknowledge(jobs, args[1], args[2])
  return { ended, dropped }
end

-- redrive  Submits the request of a dead letter again and deletes the dead letter.
--
-- KEYS    SCOPE, dead
-- ARGV    group, entry of the dead letter, new id, TTL ms, data of `queued` with a hole for its position
-- returns `redriven`, `unknown`, `unreadable`, or `deleted`: the conversation is deleted
-- errors  OOM at `maxmemory`
local function redrive(keys, args)
  local scope, dead, id = scope_of(keys), keys[scope_count + 1], args[3]
  local entries = redis.call('XRANGE', dead, args[2], args[2])
  if #entries == 0 then return 'unknown' end
  local dead_letter = by_name(entries[1][2])
  local known = redis.call('HMGET', scope.conversation, 'active', 'deleted')
  if not dead_letter['problem'] then return 'unreadable' end
  if known[2] == dead_letter['user'] then return 'deleted' end
  local active = known[1] and is_open(scope, known[1]) and known[1]
  local delivered, waiting = group_state(scope.jobs, args[1])
  local fields = { 'redriveOf', dead_letter['id'] }
  for _, name in ipairs(input_fields) do
    if dead_letter[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = dead_letter[name]
    end
  end
  admit(scope, id, dead_letter['wish'] or '', active, delivered, waiting, now_ms(), args[4], args[5],
    { 'user', dead_letter['user'] }, fields)
  redis.call('XDEL', dead, args[2])
  return 'redriven'
end
