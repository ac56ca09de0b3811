#!lua name=lemma_@VERSION@

-- The function library of Lemma: every change in Redis that spans several keys.
--
-- The files of this folder are joined in the order that `FunctionLibrary.swift` lists and loaded as one library. @VERSION@
-- is a digest of the joined text, so that replicas of two releases use their own functions side by side. They share the
-- stored entries: a later release may add fields to hashes and stream entries, and words at the end of the values of
-- `idempotency` and `delayed`; both are ignored here. A change of an entry's meaning needs another `v`.
--
-- All keys of a call are in one slot: every key of a partition has the partition's hash tag.
--
--   jobs          stream  v, id, provider         one entry per job; consumer group `workers`
--   request       hash    see `RequestHash.swift` one per request, TTL
--   events        stream  e (event name), d (JSON), t (append time in us, optional)
--                                                 one per request, TTL; ids are <attempt>-<sequence>
--   once          string  one per client idempotency key, TTL; 44 bytes: the first 8 of the digest of the request's
--                         meaning, 6 of the submission time in ms, 16 of the request's id, 14 of its conversation's id
--                         (its last 2 are the request's); only the first 8 where the submission itself is stored in
--                         another partition
--   idempotency   string  <meaning> <created ms> <id> <conversation>   the same in the format of release 1.0, for 10 min
--   delayed       zset    <id> <provider> by due ms   requests that wait for their next attempt
--   dead          stream  v, reason, ...          dead-lettered jobs with the input of a new request, or raw; bounded
--   finished      stream  v, kind, id, ...        records for the archive: `submitted`, later `finished` with the answer;
--                                                 deleted once archived; consumer group `persisters`
--   finished-dead stream  reason, detail, entry, then the record's own fields   dead-lettered records; bounded
--   conversation  hash    see below               one per conversation, TTL
--   line          list    request ids             the conversation queue: waiting requests, oldest first; TTL
--   turns         list    id, problem, answer     the newest turns of a conversation, oldest first; TTL. The id has the
--                                                 suffix ` partial` where the answer is incomplete; texts are clipped to
--                                                 the size of a context
--   waiting       zset    <conversation> <id> by the ms of the last renewal   all requests in conversation queues
--   unfinished    zset    request ids by the ms at which their job was last seen in the queue; TTL
--   watched       zset    request ids by the ms from which they count as abandoned; only requests with
--                         `onDisconnect: cancel` that have or had a viewer
--   viewers       zset    loops of API replicas with viewers, by the ms at which their presence expires; one per request, TTL
--   rate, active, tokens  the counters of one caller's limits, in a partition of the caller's; see `limits.lua`
--
-- Fields of a conversation: `user` (the owner), `active` (the request that runs; the others wait for it), `whole` (`turns`
-- has every turn newer than its first), `unkept` (number of ended requests that are not archived yet), `deleted` (the user
-- that deleted it). The hash lives one day; once nothing runs and everything is archived, as long as the event stream of
-- an ended request.

local terminal = { completed = true, failed = true, cancelled = true }

-- The fields of a request that a redriven request inherits.
local input_fields = { 'user', 'conversation', 'problem', 'wish', 'temperature', 'maxOutputTokens', 'onDisconnect',
  'onBusy', 'traceParent', 'traceState' }

local day_ms = 86400000

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function event_id(attempt, sequence)
  return string.format('%.0f-%.0f', attempt, sequence)
end

-- Returns the first `max` bytes of a UTF-8 text, without an incomplete character at the end.
local function clip(text, max)
  if #text <= max then return text end
  while max > 0 do
    local following = string.byte(text, max + 1)
    if following < 128 or following > 191 then break end
    max = max - 1
  end
  return string.sub(text, 1, max)
end

-- Converts a flat list of names and values to a table.
local function by_name(fields)
  local values = {}
  for i = 1, #fields, 2 do values[fields[i]] = fields[i + 1] end
  return values
end

-- Returns those of the named fields that a hash has, as a flat list of names and values.
local function present_fields(request, names)
  local values, found = redis.call('HMGET', request, unpack(names)), {}
  for i, name in ipairs(names) do
    if values[i] then
      found[#found + 1] = name
      found[#found + 1] = values[i]
    end
  end
  return found
end

-- Sets the expiry of a conversation. `turns` must not expire before the hash: its `whole` would then claim that an
-- empty list is complete.
local function extend_expiry(conversation, turns, ms)
  redis.call('PEXPIRE', conversation, ms)
  redis.call('PEXPIRE', turns, ms)
end
