-- The conversation queue: of a conversation's requests one runs, the others wait for it in the list `line`.

-- SCOPE: the keys that belong to a conversation. Every function that begins or ends its requests gets them first.
-- The last four are prefixes of the names of its requests' keys and channels; an id completes them. All of them,
-- and all names made of them, are in one slot.
local scope_count = 11

local function scope_of(keys)
  return { jobs = keys[1], waiting = keys[2], finished = keys[3], unfinished = keys[4], conversation = keys[5],
    queue = keys[6], turns = keys[7], requests = keys[8], events = keys[9], live = keys[10],
    ended = keys[11], id = string.sub(keys[5], -36) }
end

-- The same for a conversation of which only a request knows; `jobs` is the partition's key.
local function scope_at(jobs, conversation)
  local partition = string.sub(jobs, 1, -5)
  local keys = { jobs }
  for _, name in ipairs({ 'waiting', 'finished', 'unfinished', 'conversation:' .. conversation, 'line:' .. conversation,
    'turns:' .. conversation, 'request:', 'events:', 'live:', 'ended:' }) do
    keys[#keys + 1] = partition .. name
  end
  return scope_of(keys)
end

-- Returns false for a request that ended, expired, or lost its events: no other request waits for it.
local function is_open(scope, id)
  local status = redis.pcall('HGET', scope.requests .. id, 'status')
  return type(status) == 'string' and not terminal[status] and redis.call('EXISTS', scope.events .. id) == 1
end

-- Removes a request from the queue; returns 1 if it waited there, else 0. The list is searched only then: `stop_all`
-- removes many at once.
local function leave_queue(scope, id)
  if redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id) == 0 then return 0 end
  redis.call('LREM', scope.queue, 0, id)
  return 1
end

-- Enqueues a job for the next waiting request of the conversation; returns the number of requests that had expired
-- before it.
local function begin_next(scope, group)
  local id, expired = redis.call('LPOP', scope.queue), 0
  while id do
    local was_waiting = redis.call('ZREM', scope.waiting, scope.id .. ' ' .. id)
    local request = scope.requests .. id
    local known = redis.pcall('HMGET', request, 'status', 'wish')
    if known[1] == 'queued' then
      local delivered, waiting = group_state(scope.jobs, group)
      local entry = redis.call('XADD', scope.jobs, '*', 'v', '1', 'id', id, 'provider', known[2] or '')
      redis.call('HSET', request, 'entry', entry, 'number', delivered + waiting + 1)
      redis.call('HSET', scope.conversation, 'active', id)
      return expired
    end
    if not known.err and not known[1] then expired = expired + was_waiting end
    id = redis.call('LPOP', scope.queue)
  end
  redis.call('HDEL', scope.conversation, 'active')
  return expired
end

-- list_waiting  Lists waiting requests that were not renewed for some time.
--
-- KEYS    waiting
-- ARGV    ms, count
-- returns up to `count` members <conversation> <id>
local function list_waiting(keys, args)
  return redis.call('ZRANGEBYSCORE', keys[1], '-inf', now_ms() - tonumber(args[1]), 'LIMIT', 0, args[2])
end

-- waiting_places  Returns the places of requests that wait for their conversations.
--
-- KEYS    jobs, then request, line per request
-- ARGV    group, id ...
-- returns the numbers of jobs delivered to the group and of jobs that wait; then for each request the number of its job,
--         0 while it has none, and its place in the conversation queue, 0 if it is not there
-- O(n) in the requests and their conversation queues
local function waiting_places(keys, args)
  local delivered, waiting = group_state(keys[1], args[1])
  local reply = { delivered, waiting }
  for i = 2, #args do
    local number = redis.pcall('HGET', keys[2 * i - 2], 'number')
    local place = redis.pcall('LPOS', keys[2 * i - 1], args[i])
    reply[#reply + 1] = type(number) == 'string' and tonumber(number) or 0
    reply[#reply + 1] = type(place) == 'number' and place + 1 or 0
  end
  return reply
end

-- renew_waiting  Renews a waiting request, and starts the next one if the active request ended without notice.
--
-- KEYS    SCOPE
-- ARGV    group, id, TTL ms
-- returns the number of requests that expired in the conversation queue
--
-- The end of each request starts the next one. This function covers a request that expired or lost its data.
local function renew_waiting(keys, args)
  local scope, group, id = scope_of(keys), args[1], args[2]
  local request, events = scope.requests .. id, scope.events .. id
  local active, status = redis.call('HGET', scope.conversation, 'active'), redis.pcall('HGET', request, 'status')
  local expired = 0
  if active == id or status ~= 'queued' then
    local was_waiting = leave_queue(scope, id)
    if active ~= id and not status then expired = was_waiting end
  else
    if not redis.call('LPOS', scope.queue, id) then redis.call('RPUSH', scope.queue, id) end
    redis.call('ZADD', scope.waiting, now_ms(), scope.id .. ' ' .. id)
    redis.call('PEXPIRE', request, args[3])
    redis.call('PEXPIRE', events, args[3])
    redis.call('PEXPIRE', scope.queue, day_ms)
  end
  if not active or not is_open(scope, active) then expired = expired + begin_next(scope, group) end
  return expired
end
