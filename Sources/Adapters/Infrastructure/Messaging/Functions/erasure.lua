-- The erasure of accounts: what this partition has of their conversations, and the dead letters that name them.

-- Deletes the keys of a request that is over, and its places in the sets of the partition.
local function delete_request(scope, delayed, watched, viewers, id)
  local wish = redis.pcall('HGET', scope.requests .. id, 'wish')
  redis.call('DEL', scope.requests .. id, scope.events .. id, viewers .. id)
  redis.call('ZREM', scope.unfinished, id)
  redis.call('ZREM', watched, id)
  redis.call('ZREM', delayed, id .. ' ' .. (type(wish) == 'string' and wish or ''))
  leave_queue(scope, id)
end

-- Returns the ids among `args` from `from` on, and those that the conversation knows, each once. Waiting requests are
-- the ones that `stop_all` ends in the same call.
local function known_requests(scope, active, args, from)
  local ids, seen = {}, {}
  local function add(id)
    if not seen[id] then ids[#ids + 1] = id end
    seen[id] = true
  end
  for i = from, #args do add(args[i]) end
  local turns = redis.pcall('LRANGE', scope.turns, 0, -1)
  for i = 1, #turns, 3 do add(string.sub(turns[i], 1, 36)) end
  for _, id in ipairs(redis.call('LRANGE', scope.queue, 0, stop_step - 1)) do add(id) end
  if active then add(active) end
  return ids
end

-- erase_conversation  Ends the requests of a conversation and deletes those that are over; without any left, the
-- conversation too.
--
-- KEYS    SCOPE, delayed, watched, prefix of the keys of viewers
-- ARGV    group, user, the terms of `stop` (6), then id ...
-- returns the number of requests that their workers still have to end; the number of requests ended by this call and the
--         sum of the ms since their submission; 1 if the call must be repeated
-- O(n) in the ids, in the turns and in the requests ended
--
-- Another user's conversation and requests are left alone. Jobs stay in the queue, where they name no user: the worker
-- that receives one finds no request and counts it as expired.
local function erase_conversation(keys, args)
  local scope, group, user, terms = scope_of(keys), args[1], args[2], stop_terms(args, 3)
  local delayed, watched, viewers = keys[scope_count + 1], keys[scope_count + 2], keys[scope_count + 3]
  local known = redis.pcall('HMGET', scope.conversation, 'user', 'active')
  if known[1] and known[1] ~= user then return { 0, 0, 0, 0 } end
  -- Until its worker has ended the active request, nothing more is accepted.
  if known[1] then redis.call('HSET', scope.conversation, 'deleted', user) end
  local ids = known_requests(scope, known[2], args, 3 + stop_term_count)
  local count, age_sum, more = stop_all(scope, group, known[2], terms)
  local running = 0
  for _, id in ipairs(ids) do
    local owner = redis.pcall('HGET', scope.requests .. id, 'user')
    if type(owner) ~= 'string' or owner == user then
      local result, age = stop(scope, group, id, terms)
      if result == 'ended' then count, age_sum = count + 1, age_sum + age end
      if result == 'asked' then running = running + 1
      else delete_request(scope, delayed, watched, viewers, id) end
    end
  end
  if more or running > 0 then return { running, count, age_sum, more and 1 or 0 } end
  redis.call('DEL', scope.conversation, scope.turns, scope.queue)
  return { 0, count, age_sum, 0 }
end

-- Returns the user that a dead letter names, if that is the account or an end user of it. In an entry that cannot be
-- read, any value may be the user.
local function named_user(fields, account)
  local prefix = account .. '/'
  for _, value in pairs(fields) do
    if value == account or string.sub(value, 1, #prefix) == prefix then return value end
  end
end

-- list_letters  Finds the dead letters, of jobs or of records, that name an account or one of its end users.
--
-- KEYS    dead or finished-dead
-- ARGV    account, last entry examined before or '', entries to examine
-- returns the last entry examined, '' at the end of the stream; then entry, user, conversation or '', and request or ''
--         of each that names it
-- O(n) in the entries examined
local function list_letters(keys, args)
  local from = args[2] == '' and '-' or '(' .. args[2]
  local entries = redis.call('XRANGE', keys[1], from, '+', 'COUNT', args[3])
  local found = { #entries == tonumber(args[3]) and entries[#entries][1] or '' }
  for _, entry in ipairs(entries) do
    local fields = by_name(entry[2])
    local user = named_user(fields, args[1])
    if user then
      found[#found + 1] = entry[1]
      found[#found + 1] = user
      found[#found + 1] = fields['conversation'] or ''
      found[#found + 1] = fields['id'] or ''
    end
  end
  return found
end
