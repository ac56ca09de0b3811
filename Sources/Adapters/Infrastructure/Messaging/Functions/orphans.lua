-- Orphans: requests whose job is in no queue any more, because an operator removed its entry (XDEL, XTRIM, XACK).

-- list_orphans  Examines requests whose job was not seen for some time, and lists those that have none.
--
-- KEYS    jobs, delayed, waiting, unfinished, prefix of the requests' keys
-- ARGV    group, ms, count, TTL ms, the time that an earlier call of the same sweep returned or ''
-- returns the number of examined requests, at most `count`; the time in ms since which their jobs were not seen;
--         then id, job entry or '' and number of attempts of each orphan: not in the queue, not between attempts and
--         not waiting in its conversation
-- O(n) in `count`
--
-- An orphan is listed again after a second unless it has ended.
local function list_orphans(keys, args)
  local jobs, delayed, waiting, unfinished = keys[1], keys[2], keys[3], keys[4]
  local now = now_ms()
  local seen_before = tonumber(args[5] or '') or now - tonumber(args[2])
  local found = { 0, seen_before }
  group_state(jobs, args[1])
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', unfinished, '-inf', seen_before, 'LIMIT', 0, args[3])) do
    found[1] = found[1] + 1
    local known = redis.pcall('HMGET', keys[5] .. id, 'status', 'entry', 'wish', 'conversation', 'attempts')
    if not known.err and (not known[1] or terminal[known[1]]) then
      redis.call('ZREM', unfinished, id)
    elseif not known.err and (is_queued(jobs, args[1], known[2] or nil)
        or redis.call('ZSCORE', delayed, id .. ' ' .. (known[3] or ''))
        or redis.call('ZSCORE', waiting, (known[4] or '') .. ' ' .. id)) then
      redis.call('ZADD', unfinished, 'XX', now, id)
      redis.call('PEXPIRE', unfinished, args[4])
    else
      redis.call('ZADD', unfinished, 'XX', seen_before + 1000, id)
      found[#found + 1] = id
      found[#found + 1] = known[2] or ''
      found[#found + 1] = known[5] or '0'
    end
  end
  return found
end

-- set_job_entry  Stores the entry of a request's job, which release 1.0 did not.
--
-- KEYS    request
-- ARGV    entry
-- returns 1
local function set_job_entry(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then redis.call('HSET', keys[1], 'entry', args[1]) end
  return 1
end
