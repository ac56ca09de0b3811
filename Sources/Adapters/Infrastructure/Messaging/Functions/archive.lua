-- The records for the archive: the stream `finished` and its dead letters.

-- acknowledge_records  Deletes archived records and notifies readers that wait for the archive.
--
-- KEYS    finished, then conversation, turns per record
-- ARGV    group, TTL ms, then entry, 1 for an end or 0 per record
-- returns the number of deleted entries
-- O(n) in the records
--
-- Publishes once per conversation on its channel `kept`.
local function acknowledge_records(keys, args)
  local finished, group, count, published = keys[1], args[1], 0, {}
  for i = 3, #args, 2 do
    redis.call('XACK', finished, group, args[i])
    local conversation, turns = keys[i - 1], keys[i]
    if not published[conversation] then
      published[conversation] = true
      redis.pcall('SPUBLISH', (string.gsub(conversation, ':conversation:', ':kept:', 1)), '')
    end
    if redis.call('XDEL', finished, args[i]) == 1 then
      count = count + 1
      local known = args[i + 1] == '1' and redis.pcall('HMGET', conversation, 'unkept', 'active', 'deleted')
      if known and known[1] then
        local unkept = redis.call('HINCRBY', conversation, 'unkept', -1)
        if unkept <= 0 and not known[2] and not known[3] then extend_expiry(conversation, turns, args[2]) end
      end
    end
  end
  return count
end

-- dead_letter_record  Moves a record that cannot be read, or that the database rejects, to the dead letters with all
-- its fields.
--
-- KEYS    finished, finished-dead
-- ARGV    group, entry, reason, detail, max dead letters
-- returns the number of dropped dead letters
local function dead_letter_record(keys, args)
  local entries, dropped = redis.call('XRANGE', keys[1], args[2], args[2]), 0
  if #entries > 0 then
    dropped = add_dead_letter(keys[2], args[5],
      { 'reason', args[3], 'detail', args[4], 'entry', args[2], unpack(entries[1][2]) })
  end
  acknowledge(keys[1], args[1], args[2])
  return dropped
end

-- redrive_record  Moves a dead-lettered record back to the stream.
--
-- KEYS    finished, finished-dead
-- ARGV    entry of the dead letter
-- returns `redriven`, `unknown` or `unreadable`
-- errors  OOM at `maxmemory`
--
-- The fields that `dead_letter_record` adds come first; the rest is the record.
local function redrive_record(keys, args)
  local entries = redis.call('XRANGE', keys[2], args[1], args[1])
  if #entries == 0 then return 'unknown' end
  local fields = entries[1][2]
  if fields[1] ~= 'reason' or fields[3] ~= 'detail' or fields[5] ~= 'entry' or #fields < 8 then return 'unreadable' end
  redis.call('XADD', keys[1], '*', unpack(fields, 7))
  redis.call('XDEL', keys[2], args[1])
  return 'redriven'
end

-- record_backlog  Returns the number of records that wait for the archive, and the age of the oldest.
--
-- KEYS    finished
-- ARGV    none
-- returns records, age in ms
local function record_backlog(keys, args)
  local oldest = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)
  if #oldest == 0 then return { 0, 0 } end
  return { redis.call('XLEN', keys[1]), math.max(0, now_ms() - tonumber(string.match(oldest[1][1], '^%d+'))) }
end
