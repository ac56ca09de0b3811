-- Limits of what one caller may use: rates, requests at once, and tokens a day.
--
-- The counters of a caller are in one slot, whatever partitions its requests are in:
--
--   rate    string  theoretical arrival time in us; expires at that time
--   active  zset    request ids by the ms of their admission; the ids of ended requests stay until the set is full; TTL
--   tokens  hash    day (number of the UTC day), sum (tokens used and reserved), and per unsettled request its reservation
--                   by its id; expires after the day

-- Members of a full set that one call returns: as many are examined at once.
local members_shown = 64
local day_us = 86400000000
-- A counter of tokens outlives its day by so much, for a server whose clock is set back a little.
local tokens_extra_ms = 600000

-- One table of functions for each kind of limit. `check` returns nil if the charge conforms, else the ms until it can, or
-- the members of a full set; `charge` counts it. Every check precedes every charge, so that all limits are charged or none.
local limit_kinds = { rate = {}, active = {}, tokens = {} }

-- The Generic Cell Rate Algorithm (ITU-T I.371): a cell of `interval` us arrives at the theoretical arrival time, and at
-- most `quota` intervals ahead of now. Integers alone, so that it is exact.
function limit_kinds.rate.check(limit, call)
  local arrival = tonumber(redis.call('GET', limit.counter) or 0)
  limit.ahead = math.max(0, arrival - call.now) + limit.interval
  local excess = limit.ahead - limit.quota * limit.interval
  return excess > 0 and math.ceil(excess / 1000) or nil
end

function limit_kinds.rate.charge(limit, call, reply)
  local ttl = math.ceil(limit.ahead / 1000)
  redis.call('SET', limit.counter, string.format('%.0f', call.now + limit.ahead), 'PX', ttl)
  reply[#reply + 1] = math.floor((limit.quota * limit.interval - limit.ahead) / limit.interval)
  reply[#reply + 1] = ttl
end

function limit_kinds.active.check(limit)
  limit.count = redis.call('ZCARD', limit.counter)
  if limit.count < limit.quota then return nil end
  redis.call('PEXPIRE', limit.counter, day_ms)
  return redis.call('ZRANGE', limit.counter, 0, members_shown - 1, 'WITHSCORES')
end

-- The expiry is renewed when the set is new or full: in between, every call would cost one command more.
function limit_kinds.active.charge(limit, call)
  redis.call('ZADD', limit.counter, math.floor(call.now / 1000), call.id)
  if limit.count == 0 then redis.call('PEXPIRE', limit.counter, day_ms) end
end

-- A reservation is the estimate, at most what is left of the day: a user can spend the last tokens although no estimate
-- fits, and exceeds the budget by one request at most.
function limit_kinds.tokens.check(limit, call)
  local known = redis.call('HMGET', limit.counter, 'day', 'sum')
  limit.is_new = not known[1] or tonumber(known[1]) < call.day
  limit.sum = limit.is_new and 0 or tonumber(known[2])
  return limit.sum >= limit.quota and math.ceil((day_us - call.now % day_us) / 1000) or nil
end

function limit_kinds.tokens.charge(limit, call)
  local reserved = math.min(call.tokens, limit.quota - limit.sum)
  if limit.is_new then
    redis.call('DEL', limit.counter)
    redis.call('HSET', limit.counter, 'day', call.day, 'sum', reserved, call.id, reserved)
    redis.call('PEXPIRE', limit.counter, day_ms - math.floor(call.now / 1000) % day_ms + tokens_extra_ms)
  else
    redis.call('HSET', limit.counter, 'sum', limit.sum + reserved, call.id, reserved)
  end
end

-- charge_limits  Charges a request to all of a caller's limits, or to none.
--
-- KEYS    counter per limit
-- ARGV    request id, tokens to reserve, number of the UTC day or '' for that of the server's clock, then kind (`rate`
--         `active` `tokens`), quota, interval of a rate in us per limit
-- returns {`ok`, then what is left of the quota and the ms until all of it is, for each rate};
--         {`refused`, index of the limit, ms until the charge can succeed};
--         {`full`, time in ms, then {index of the limit, then request id, ms of its admission for up to 64 members} for
--         each full set}
-- errors  OOM at `maxmemory`
-- O(n) in the limits
--
-- A full set may have ended requests, which are in other slots: the caller removes those and repeats the call.
local function charge_limits(keys, args)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local call = { id = args[1], tokens = tonumber(args[2]), now = now, day = tonumber(args[3]) or math.floor(now / day_us) }
  local limits, full = {}, { 'full', math.floor(now / 1000) }
  for i, counter in ipairs(keys) do
    local limit = { counter = counter, kind = limit_kinds[args[3 * i + 1]], quota = tonumber(args[3 * i + 2]),
      interval = tonumber(args[3 * i + 3]) }
    local refusal = limit.kind.check(limit, call)
    if type(refusal) == 'number' then return { 'refused', i - 1, refusal } end
    if refusal then full[#full + 1] = { i - 1, unpack(refusal) } end
    limits[i] = limit
  end
  if #full > 2 then return full end
  local reply = { 'ok' }
  for _, limit in ipairs(limits) do limit.kind.charge(limit, call, reply) end
  return reply
end

-- settle_tokens  Replaces reservations by the tokens that were used.
--
-- KEYS    tokens per reservation
-- ARGV    request id, tokens used per reservation
-- returns the number of reservations settled by this call
-- O(n) in the reservations
--
-- Idempotent: a reservation is settled once, and one of an earlier day does not exist any more. A key of another type is
-- left alone: it must not stop the archive.
local function settle_tokens(keys, args)
  local count = 0
  for i, counter in ipairs(keys) do
    local id, used = args[2 * i - 1], tonumber(args[2 * i])
    local reserved = redis.pcall('HGET', counter, id)
    if type(reserved) == 'string' then
      redis.call('HDEL', counter, id)
      redis.call('HINCRBY', counter, 'sum', used - tonumber(reserved))
      count = count + 1
    end
  end
  return count
end
