-- The job queue of a partition: deliveries of its stream to the consumers of a group, and their leases.

-- Returns the number of jobs delivered to the group and the number that waits; creates a missing stream or group.
--
-- An acknowledged entry is deleted, so the waiting ones are the length minus the pending ones. The `lag` of Redis
-- does not serve: it is unknown while the newest delivered entry is deleted and an older one is not. `entries-read`,
-- from which it follows, is neither in the append-only file nor on replicas (7.0).
local function group_state(jobs, group)
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

-- Returns true if the group will deliver a job's entry, or has delivered it to a consumer that has not acknowledged
-- it.
local function is_queued(jobs, group, entry)
  if not entry or #redis.call('XRANGE', jobs, entry, entry) == 0 then return false end
  -- If an operator destroyed the group, all entries will be delivered again.
  local pending = redis.pcall('XPENDING', jobs, group, entry, entry, 1)
  if pending.err or #pending > 0 then return true end
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', jobs)) do
    local state = by_name(fields)
    if state['name'] == group then
      local delivered_ms, delivered_number = string.match(state['last-delivered-id'], '^(%d+)-(%d+)$')
      local ms, number = string.match(entry, '^(%d+)-(%d+)$')
      delivered_ms, delivered_number = tonumber(delivered_ms), tonumber(delivered_number)
      ms, number = tonumber(ms), tonumber(number)
      return ms > delivered_ms or (ms == delivered_ms and number > delivered_number)
    end
  end
  return true
end

-- Acknowledges and deletes an entry; returns 1 if this call deleted it, 0 if it did not exist.
local function acknowledge(jobs, group, entry)
  redis.call('XACK', jobs, group, entry)
  return redis.call('XDEL', jobs, entry)
end

-- Adds a dead letter and drops the oldest above `max`; returns the number dropped.
local function add_dead_letter(dead, max, fields)
  redis.call('XADD', dead, '*', unpack(fields))
  return redis.call('XTRIM', dead, 'MAXLEN', max)
end

-- renew  Renews the leases of a worker's jobs.
--
-- KEYS    jobs, then request, events per entry
-- ARGV    group, consumer, TTL ms, entry ...
-- returns for each entry `ok`, `lost`, or the reason of a requested cancellation
-- O(n) in the entries
local function renew(keys, args)
  local jobs, group, consumer = keys[1], args[1], args[2]
  local report = {}
  for i = 4, #args do
    local entry, request, events = args[i], keys[2 * (i - 4) + 2], keys[2 * (i - 4) + 3]
    if #redis.call('XPENDING', jobs, group, entry, entry, 1, consumer) == 0 then
      report[#report + 1] = 'lost'
    else
      redis.call('XCLAIM', jobs, group, consumer, 0, entry, 'JUSTID')
      local known = redis.pcall('HMGET', request, 'status', 'cancel')
      -- A request key of another type must not cost the other jobs their leases.
      if known.err then known = {} end
      -- A request that was cancelled before its claim keeps the expiry of an ended one.
      if known[1] and not terminal[known[1]] then
        redis.call('PEXPIRE', request, args[3])
        redis.call('PEXPIRE', events, args[3])
      end
      report[#report + 1] = known[2] or 'ok'
    end
  end
  return report
end

-- take_over  Transfers the entries of consumers that stopped renewing.
--
-- KEYS    jobs or finished
-- ARGV    group, consumer, idle ms, count
-- returns entries as XRANGE does
-- O(n) in `count`
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

-- release  Releases jobs so that the next `take_over` of any worker gets them at once.
--
-- KEYS    jobs, then request per entry
-- ARGV    group, consumer, idle ms, entry ...
-- returns the number of released jobs; entries that another consumer owns are left alone
-- O(n) in the entries
local function release(keys, args)
  local jobs, group, consumer, count = keys[1], args[1], args[2], 0
  for i = 4, #args do
    if #redis.call('XPENDING', jobs, group, args[i], args[i], 1, consumer) > 0 then
      redis.call('XCLAIM', jobs, group, consumer, 0, args[i], 'IDLE', args[3], 'JUSTID')
      if redis.pcall('HGET', keys[i - 2], 'status') == 'running' then
        redis.call('HSET', keys[i - 2], 'handing', '1')
      end
      count = count + 1
    end
  end
  return count
end

-- remove_idle_consumers  Removes consumers that own nothing and had no delivery for some time.
--
-- KEYS    jobs or finished
-- ARGV    group, idle ms, consumer or '' for any
-- returns the number of removed consumers
-- O(n) in the consumers
--
-- XGROUP DELCONSUMER drops pending entries, so consumers that own any stay. A live consumer is created again by its
-- next read.
local function remove_idle_consumers(keys, args)
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

-- queue_state  Returns the number of jobs delivered to the group and the number that waits.
--
-- KEYS    jobs
-- ARGV    group
-- returns delivered, waiting
-- O(n) in the groups of the stream
local function queue_state(keys, args)
  return { group_state(keys[1], args[1]) }
end

-- queue_statistics  Returns the measurements of a partition's queue.
--
-- KEYS    jobs, delayed, dead, waiting
-- ARGV    group, idle ms that marks a released job, claimed jobs to examine
-- returns the numbers of waiting, claimed and delayed jobs, of dead letters and of requests in conversation queues;
--         the age of the oldest waiting job in ms; the time in ms since the last renewal of the claimed job that has
--         waited longest for one
-- O(n) in the examined jobs
--
-- A job without an owner stays while others come and go, so it is soon among the oldest claimed jobs: only those are
-- examined.
local function queue_statistics(keys, args)
  local jobs, group = keys[1], args[1]
  local claimed, delivered, silence, age = 0, '0', 0, 0
  local groups = redis.pcall('XINFO', 'GROUPS', jobs)
  for _, fields in ipairs(groups.err and {} or groups) do
    local state = by_name(fields)
    if state['name'] == group then claimed, delivered = state['pending'], state['last-delivered-id'] end
  end
  if claimed > 0 then
    for _, item in ipairs(redis.call('XPENDING', jobs, group, '-', '+', args[3])) do
      local released = tonumber(args[2])
      silence = math.max(silence, item[3] >= released and item[3] - released or item[3])
    end
  end
  local oldest = redis.call('XRANGE', jobs, '(' .. delivered, '+', 'COUNT', 1)
  if #oldest > 0 then age = math.max(0, now_ms() - tonumber(string.match(oldest[1][1], '^%d+'))) end
  return { math.max(0, redis.call('XLEN', jobs) - claimed), claimed, redis.call('ZCARD', keys[2]),
    redis.call('XLEN', keys[3]), redis.call('ZCARD', keys[4]), age, silence }
end
