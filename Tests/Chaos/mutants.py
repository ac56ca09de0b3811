"""Broken function libraries, loaded into the private Redis at test time: the product itself has no switches.

The replicas call the library's functions by name and load it only if Redis does not have it; so a library of the same
name with a changed line replaces it.
"""

import hashlib
import re

from cluster import ROOT, ClusterFailure

MESSAGING = f"{ROOT}/Sources/Adapters/Infrastructure/Messaging"
LIBRARY = f"{MESSAGING}/Functions"

MARKER = "  append_and_publish(events, event_id(attempt, 0), name, marker, args[4])\n"

# name: pairs of a text of the library and its replacement
MUTANTS = {
    "acknowledge before finish": [
        ("  local attempt = last + 1\n", "  local attempt = last + 1\n  acknowledge(jobs, group, entry)\n")
    ],
    "no marker": [(MARKER, "")],
    "no marker after the first": [(MARKER, f"  if attempt == 1 then\n  {MARKER}  end\n")],
    "publish without append": [
        (
            "  return append_and_publish(keys[1], args[1], args[2], args[3], args[4], args[5]) and 1 or 0\n",
            "  redis.call('SPUBLISH', args[4], args[1] .. ' ' .. args[2] .. ' ' .. args[3])\n  return 1\n",
        )
    ],
    "a zombie's append goes in": [
        (
            "  return append_and_publish(keys[1], args[1], args[2], args[3], args[4], args[5]) and 1 or 0\n",
            "  local attempt, sequence = last_event(keys[1])\n"
            "  local id = attempt and event_id(attempt, sequence + 1) or args[1]\n"
            "  return append_and_publish(keys[1], id, args[2], args[3], args[4], args[5]) and 1 or 0\n",
        )
    ],
    "no idempotency": [("redis.call('GET', once)", "nil"), ("redis.call('GET', former)", "nil")],
    "attempts without a bound": [
        ("if attempt - handovers > tonumber(args[6]) then", "if false then"),
        ("if last + 1 - handovers > tonumber(args[6]) then return 'exhausted' end", ""),
    ],
    # The functions make up for either change alone.
    "a job that is never acknowledged": [
        (
            "  acknowledge(jobs, group, entry)\n  return { 'finished', dropped }\n",
            "  return { 'finished', dropped }\n",
        ),
        (
            "    local was_first = acknowledge(jobs, group, entry) == 1\n",
            "    local was_first = true\n",
        ),
    ],
    "no expiry after the end": [
        ("    redis.call('PEXPIRE', events, args[10])\n", "    redis.call('PERSIST', events)\n")
    ],
    "finish at any place": [
        (
            "      if place > 0 and (last ~= attempt or sequence ~= place - 1) then\n",
            "      place = place + 1\n      if false then\n",
        )
    ],
    "no dead letter": [("  if dead then\n", "  if false then\n")],
    "two of a conversation at a time": [
        (
            "  if active then\n    redis.call('RPUSH', scope.queue, id)\n",
            "  if false then\n    redis.call('RPUSH', scope.queue, id)\n",
        )
    ],
    "a retry that stays": [("    redis.call('ZREM', delayed, member)\n", "")],
    "cancel without an event": [
        (
            "      append_and_publish(events, event_id(attempt, sequence + 1), 'cancelled'",
            "      string.format('', '', ''",
        )
    ],
}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def joined():
    """The text of the library, joined as `FunctionLibrary` joins it."""
    order = re.findall(r"PackageResources\.(\w+)_lua", read(f"{MESSAGING}/Redis/FunctionLibrary.swift"))
    return "\n".join(read(f"{LIBRARY}/{name}.lua") for name in order)


def broken(name):
    """The code of a broken library, under the good one's name."""
    template = joined()
    # As the product does: the names carry the digest of the good library.
    version = hashlib.sha256(template.encode()).hexdigest()[:8]
    code = template
    for old, new in MUTANTS[name]:
        if code.count(old) != 1:
            raise ClusterFailure(f"mutant {name}: {old.strip()!r} is {code.count(old)} times in the library")
        code = code.replace(old, new)
    return code.replace("@VERSION@", version)


async def load(cluster, name):
    """Loads the broken library before any replica has loaded the good one."""
    code = broken(name)
    await cluster.ask_redis("FUNCTION", "LOAD", "REPLACE", code)


async def confirm(cluster):
    """Fails if the replicas have loaded another library: the program was built from other sources."""
    libraries = await cluster.ask_redis("FUNCTION", "LIST")
    if len(libraries) != 1:
        raise ClusterFailure(f"the program uses another library than {LIBRARY}: build it again")
