-- What the Redis user and the server allow.

-- eviction_policy  Returns the `maxmemory-policy` of Redis.
--
-- KEYS    jobs
-- ARGV    none
-- returns the policy, or '' if the user may not read it
local function eviction_policy(keys, args)
  local info = redis.pcall('INFO', 'memory')
  return type(info) == 'string' and string.match(info, 'maxmemory_policy:([%w-]+)') or ''
end

-- The commands of the functions and of the clients beside them. A word that begins with `:` is the suffix of a key.
local commands = {
  { 'TIME' }, { 'SCAN', '0' }, { 'EXISTS', ':text' }, { 'TYPE', ':text' },
  { 'SET', ':text', '1', 'PX', '1000' }, { 'GET', ':text' },
  { 'HSET', ':hash', 'a', '1' }, { 'HSETNX', ':hash', 'a', '1' }, { 'HGET', ':hash', 'a' }, { 'HMGET', ':hash', 'a' },
  { 'HGETALL', ':hash' }, { 'HEXISTS', ':hash', 'a' }, { 'HINCRBY', ':hash', 'a', '1' }, { 'HDEL', ':hash', 'b' },
  { 'RPUSH', ':list', '1' }, { 'LRANGE', ':list', '0', '-1' }, { 'LLEN', ':list' }, { 'LPOS', ':list', '1' },
  { 'LTRIM', ':list', '0', '-1' }, { 'LREM', ':list', '0', '2' }, { 'LPOP', ':list' },
  { 'ZADD', ':set', '1', 'a' }, { 'ZSCORE', ':set', 'a' }, { 'ZCARD', ':set' }, { 'ZRANGE', ':set', '0', '-1' },
  { 'ZRANGEBYSCORE', ':set', '0', '1' }, { 'ZREM', ':set', 'b' },
  { 'XADD', ':stream', '1-1', 'a', '1' }, { 'XLEN', ':stream' }, { 'XRANGE', ':stream', '-', '+' },
  { 'XREVRANGE', ':stream', '+', '-' }, { 'XREAD', 'STREAMS', ':stream', '0' }, { 'XTRIM', ':stream', 'MAXLEN', '9' },
  { 'XINFO', 'STREAM', ':stream' },
  { 'XGROUP', 'CREATE', ':stream', 'g', '0' }, { 'XINFO', 'GROUPS', ':stream' },
  { 'XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', ':stream', '>' }, { 'XINFO', 'CONSUMERS', ':stream', 'g' },
  { 'XPENDING', ':stream', 'g' }, { 'XCLAIM', ':stream', 'g', 'c', '0', '1-1', 'JUSTID' },
  { 'XACK', ':stream', 'g', '1-1' },
  { 'XGROUP', 'DELCONSUMER', ':stream', 'g', 'c' }, { 'XDEL', ':stream', '1-1' },
}

-- missing_permissions  Tries every command of the product and returns those that the user lacks.
--
-- KEYS    probe
-- ARGV    channel
-- returns names such as `XADD`, `the keys lemma:*` or `the channels lemma:*`
--
-- Called on every fresh connection: a function whose command is refused half-way would leave what it has written.
local function missing_permissions(keys, args)
  local missing, seen = {}, {}
  local function is_allowed(words)
    local reply = redis.pcall(unpack(words))
    local refusal = type(reply) == 'table' and reply.err
    if not refusal or not string.find(refusal, "The user executing the script can't", 1, true) then return true end
    local name = words[1]
    if words[1] == 'XINFO' or words[1] == 'XGROUP' then name = name .. '|' .. words[2] end
    if string.find(refusal, 'keys', 1, true) then name = 'the keys lemma:*' end
    if string.find(refusal, 'channel', 1, true) then name = 'the channels lemma:*' end
    if not seen[name] then missing[#missing + 1] = name end
    seen[name] = true
    return false
  end
  local kinds = { ':text', ':hash', ':list', ':set', ':stream' }
  is_allowed({ 'SPUBLISH', args[1], '' })
  local may_clean = is_allowed({ 'PEXPIRE', keys[1], '1000' }) and is_allowed({ 'DEL', keys[1] })
  for _, template in ipairs(may_clean and commands or {}) do
    local words = {}
    for i, word in ipairs(template) do words[i] = string.sub(word, 1, 1) == ':' and keys[1] .. word or word end
    is_allowed(words)
  end
  for _, kind in ipairs(may_clean and kinds or {}) do redis.call('DEL', keys[1] .. kind) end
  return missing
end

-- mistyped_keys  Finds a key whose type is not the one that the product writes.
--
-- KEYS    key ...
-- ARGV    type of the key as TYPE returns it ...
-- returns {} if every key is missing or has its type; else {key, its type, its expected type} of the first that has not
-- O(n) in the keys
local function mistyped_keys(keys, args)
  for i, key in ipairs(keys) do
    local type = redis.call('TYPE', key).ok
    if type ~= 'none' and type ~= args[i] then return { key, type, args[i] } end
  end
  return {}
end
