-- The presence of viewers of requests with `onDisconnect: cancel`.

-- renew_presence  Stores that a watcher (a loop of an API replica) has viewers of requests.
--
-- KEYS    watched, then request, viewers per request
-- ARGV    watcher, presence ms, grace ms, TTL ms, id ...
-- returns 1
-- O(n) in the requests
--
-- A request is abandoned a grace period after the presence of its last watcher has expired. Ended requests are
-- removed.
local function renew_presence(keys, args)
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

-- remove_presence  Removes a watcher whose last viewer left.
--
-- KEYS    watched, request, viewers
-- ARGV    watcher, grace ms, id
-- returns 1; 0 if the watcher was not present
--
-- Without another watcher, the grace period begins now.
local function remove_presence(keys, args)
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

-- list_abandoned  Lists abandoned requests.
--
-- KEYS    watched
-- ARGV    count
-- returns the number of requests that have or had viewers; the time in ms; then up to `count` ids of abandoned ones
local function list_abandoned(keys, args)
  local now = now_ms()
  local ids = redis.call('ZRANGEBYSCORE', keys[1], '-inf', now, 'LIMIT', 0, args[1])
  return { redis.call('ZCARD', keys[1]), now, unpack(ids) }
end

-- cancel_abandoned  Cancels a request unless a viewer has come back.
--
-- KEYS    SCOPE, watched, viewers
-- ARGV    group, id, then the terms of `stop` (6)
-- returns what `cancel` returns, or {`watched`}
local function cancel_abandoned(keys, args)
  local watched, viewers, id = keys[scope_count + 1], keys[scope_count + 2], args[2]
  local due = redis.call('ZSCORE', watched, id)
  if not due or tonumber(due) > now_ms() then return { 'watched' } end
  redis.call('ZREM', watched, id)
  redis.call('DEL', viewers)
  return cancel(keys, args)
end
