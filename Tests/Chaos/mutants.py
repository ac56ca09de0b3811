"""Broken function libraries, made in the private Redis at test time: the product itself has no switches.

The replicas call the library's functions by name and load it only where Redis does not have it; so a library of the same
name with a changed line takes its place.
"""

import hashlib

from cluster import ROOT, ChaosFailure

LIBRARY = f"{ROOT}/Sources/Adapters/Infrastructure/Messaging/lemma.lua"

# name: (text of the library, what takes its place)
MUTANTS = {
    "acknowledge before finish": (
        "  local attempt = last + 1\n",
        "  local attempt = last + 1\n  settle(jobs, group, entry)\n",
    ),
    "no marker": ("  append_and_publish(events, event_id(attempt, 0), name, data .. args[8], args[4])\n", ""),
    "no marker after the first": (
        "  append_and_publish(events, event_id(attempt, 0), name, data .. args[8], args[4])\n",
        "  if attempt == 1 then\n"
        "    append_and_publish(events, event_id(attempt, 0), name, data .. args[8], args[4])\n"
        "  end\n",
    ),
    "publish without append": (
        "  return append_and_publish(keys[1], args[1], args[2], args[3], args[4]) and 1 or 0\n",
        "  redis.call('SPUBLISH', args[4], args[1] .. ' ' .. args[2] .. ' ' .. args[3])\n  return 1\n",
    ),
    "no idempotency": ("redis.call('GET', idempotency)", "nil"),
    "attempts without a bound": ("if attempt - handovers > tonumber(args[6]) then", "if false then"),
    "finish without settling": (
        "    unpack(args, 11))\n  redis.call('PEXPIRE', request, args[10])\n  settle(jobs, group, entry)\n",
        "    unpack(args, 11))\n  redis.call('PEXPIRE', request, args[10])\n",
    ),
    "no expiry": ("    redis.call('PEXPIRE', events, args[10])\n", "    redis.call('PERSIST', events)\n"),
    "finish at any place": (
        "if place > 0 and (last ~= attempt or sequence ~= place - 1) then return 'history_lost' end",
        "place = place + 1",
    ),
}


async def load(cluster, name):
    """Puts the broken library in the place of the good one, before any replica has loaded that."""
    old, new = MUTANTS[name]
    with open(LIBRARY, encoding="utf-8") as file:
        template = file.read()
    if template.count(old) != 1:
        raise ChaosFailure(f"mutant {name}: the line to change is {template.count(old)} times in the library")
    # As the product does it: the names carry the digest of the good file.
    version = hashlib.sha256(template.encode()).hexdigest()[:8]
    code = template.replace(old, new).replace("@VERSION@", version)
    await cluster.ask_redis("FUNCTION", "LOAD", "REPLACE", code)
