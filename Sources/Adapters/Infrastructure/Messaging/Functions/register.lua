-- Registers the functions. `submit`, `charge_limits`, `reserve_key`, the redrives and `restore_turns` accept new data, so
-- Redis rejects them at `maxmemory`. The others that write continue or end accepted work, which frees memory, so they may exceed it.

local function register(name, callback, flags)
  redis.register_function { function_name = 'lemma_@VERSION@_' .. name, callback = callback, flags = flags }
end

-- `pairs` and `ipairs` are not available while a library loads.
local function register_all(functions, flags)
  for i = 1, #functions, 2 do register(functions[i], functions[i + 1], flags) end
end

register_all({
  'submit', submit, 'reserve_key', reserve_key, 'redrive', redrive, 'redrive_record', redrive_record,
  'restore_turns', restore_turns, 'charge_limits', charge_limits,
})
register_all({
  'claim', claim, 'append', append, 'schedule_retry', schedule_retry, 'enqueue_due', enqueue_due, 'finish', finish,
  'cancel', cancel, 'renew', renew, 'take_over', take_over, 'release', release, 'queue_state', queue_state,
  'dead_letter_job', dead_letter_job, 'fail_unreadable', fail_unreadable, 'list_orphans', list_orphans,
  'set_job_entry', set_job_entry, 'renew_presence', renew_presence, 'remove_presence', remove_presence,
  'cancel_abandoned', cancel_abandoned, 'remove_idle_consumers', remove_idle_consumers,
  'begin_deletion', begin_deletion, 'waiting_places', waiting_places, 'renew_waiting', renew_waiting,
  'acknowledge_records', acknowledge_records,
  'dead_letter_record', dead_letter_record, 'mark_lost', mark_lost, 'missing_permissions', missing_permissions,
  'settle_tokens', settle_tokens, 'erase_conversation', erase_conversation,
}, { 'allow-oom' })
register_all({
  'queue_statistics', queue_statistics, 'list_abandoned', list_abandoned, 'list_waiting', list_waiting,
  'read_turns', read_turns, 'record_backlog', record_backlog, 'read_request', read_request,
  'eviction_policy', eviction_policy, 'find_submission', find_submission, 'mistyped_keys', mistyped_keys,
  'read_statuses', read_statuses, 'list_letters', list_letters,
}, { 'no-writes' })
