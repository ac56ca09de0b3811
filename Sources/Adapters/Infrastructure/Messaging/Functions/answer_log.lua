-- The answer log: one stream of events per request, whose ids are <attempt>-<sequence>.

-- Returns attempt, sequence and name of a stream's last event; nil if the stream does not exist.
local function last_event(events)
  local entries = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)
  if #entries == 0 then return nil end
  local attempt, sequence = string.match(entries[1][1], '^(%d+)-(%d+)$')
  return tonumber(attempt), tonumber(sequence), entries[1][2][2]
end

-- Appends an event and publishes it; returns false if the stream does not exist.
--
-- `time` (optional) is the time of the append by the worker in microseconds. It is stored with the event and
-- published ahead of it in a message of its own, which replicas of release 1.0 ignore. A failed publish must not end
-- the function between two writes: readers find the event in the stream.
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

-- Fills the holes of an event's JSON: hole n is the byte n, which JSON never contains. The JSON itself is composed in
-- `EventData.swift`; Redis knows only the values.
local function fill(template, ...)
  local values = { ... }
  return (string.gsub(template, '[\1-\9]', function(hole) return values[string.byte(hole)] end))
end

-- Publishes that a request is over, for requests that wait for the end and receive no events. Releases before 1.2 do
-- not publish it, so a subscriber also reads the status.
local function publish_end(channel)
  redis.pcall('SPUBLISH', channel, '')
end

-- Stores the id of the terminal event and of the event before it, which the archive needs for its replay.
local function note_end(request, attempt, sequence, before_attempt, before_sequence)
  redis.call('HSET', request, 'endId', event_id(attempt, sequence), 'beforeEndId',
    event_id(before_attempt, before_sequence))
end

-- Stores that events of an attempt up to `sequence` are lost although clients may have received them: an attempt of
-- the same number may reuse their ids.
--
-- `lost:<attempt>` has the highest sequence of each attempt; `lost` has the newest attempt only, for replicas of
-- release 1.0.
local function note_lost(request, attempt, sequence)
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

-- Returns the text of the newest attempt that began, without the events that cannot be read. O(n) in its events.
--
-- Takes the stream's last event. Read in the call that ends the request: the worker of the attempt may append until
-- then.
local function text_of(events, attempt, sequence, name)
  if not attempt then return '' end
  -- A terminal event with a marker's id ended the request before that attempt began.
  if sequence == 0 and terminal[name] then attempt = attempt - 1 end
  local texts = {}
  for _, entry in ipairs(redis.call('XRANGE', events, event_id(attempt, 0), string.format('%.0f', attempt))) do
    local is_json, data = false, nil
    if entry[2][2] == 'token' then is_json, data = pcall(cjson.decode, entry[2][4]) end
    if is_json and type(data) == 'table' and type(data['text']) == 'string' then texts[#texts + 1] = data['text'] end
  end
  return table.concat(texts)
end

-- append  Appends an event of an attempt and publishes it.
--
-- KEYS    events
-- ARGV    id, event name, data, channel [, time of the append in microseconds since 1970]
-- returns 1; 0 if the stream does not exist
-- errors  for an id that is not greater than the last: another attempt or call has written it
local function append(keys, args)
  return append_and_publish(keys[1], args[1], args[2], args[3], args[4], args[5]) and 1 or 0
end

-- What a client may claim to have received of lost events: attempts beyond the last stored one, and events of an
-- attempt beyond one per millisecond since the submission.
local attempts_lost_max, events_beside_time = 4, 1000

-- mark_lost  Stores that an event is lost which clients may have received.
--
-- KEYS    request, events
-- ARGV    attempt, sequence, `delivered` (by a replica) or `claimed` (by a client)
-- returns 1; 0 if the request cannot have had what a client claims
--
-- Called before the loss is reported or handled. Events of attempts before the last one need no entry: their ids are
-- not reused.
local function mark_lost(keys, args)
  local attempt, sequence = tonumber(args[1]), tonumber(args[2])
  if args[3] == 'claimed' then
    local last, created = last_event(keys[2]), redis.call('HGET', keys[1], 'created')
    if not last or not created or attempt < last or attempt > last + attempts_lost_max then return 0 end
    if sequence > events_beside_time + math.max(0, now_ms() - tonumber(created)) then return 0 end
  end
  note_lost(keys[1], attempt, sequence)
  return 1
end
