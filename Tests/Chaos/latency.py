"""What one history tells about times, in milliseconds; only runs with a single fault, or none, are measured."""

import math

# name: (share of the values, milliseconds that it must stay under); the lease of the runs is one second.
BOUNDS = {
    "abort to cancelled": (0.99, 250),
    "worker killed to next token": (1, 3000),
    "api killed, reconnect to next event": (1, 1000),
}


def latencies(history, single):
    """Returns {name: [milliseconds]}; nothing of a run in which the machine itself stood still."""
    found = {}
    if any(row["op"] == "lag" for row in history):
        return found
    ended = [row["t"] for row in history if row["op"] == "final"]
    healed = [row["t"] for row in history if row["op"] == "quiet"]
    if ended and healed:
        found["quiet after the last fault"] = [(ended[0] - healed[0]) * 1000]
    if single == "calm":
        found["abort to cancelled"] = _aborts(history)
    elif single == "worker_kill":
        found["worker killed to next token"] = _after_kill(history)
    elif single == "api_kill":
        found["api killed, reconnect to next event"] = _reconnects(history)
    return found


def _aborts(history):
    """From the request to the terminal event that a viewer sees; one value an abort."""
    ids = {row["viewer"]: row["id"] for row in history if row["op"] == "open"}
    ends = {}
    for row in history:
        if row["op"] == "event" and row["name"] == "cancelled":
            ends.setdefault(ids[row["viewer"]], row["t"])
    asked = {}
    for row in history:
        if row["op"] == "abort":
            asked.setdefault(row["id"], row["asked"])
    # A viewer that came later tells nothing.
    seen = [id for id in ends if id in asked and _is_watched(history, ids, id, asked[id])]
    return [(ends[id] - asked[id]) * 1000 for id in seen]


def _is_watched(history, ids, id, at):
    """True where a viewer of `id` had an event in the 0.1 s before."""
    return any(row["op"] == "event" and ids[row["viewer"]] == id and at - 0.1 <= row["t"] <= at for row in history)


def _after_kill(history):
    killed = next((row["t"] for row in history if row["op"] == "fault"), None)
    ids = {row["viewer"]: row["id"] for row in history if row["op"] == "open"}
    restarted, first = set(), {}
    for row in history:
        if row["op"] != "event" or killed is None or row["t"] < killed:
            continue
        id = ids[row["viewer"]]
        if row["name"] == "restarted" and "worker_lost" in row["data"]:
            restarted.add((row["viewer"], id))
        elif row["name"] == "token" and (row["viewer"], id) in restarted:
            first.setdefault(id, (row["t"] - killed) * 1000)
    return list(first.values())


def _reconnects(history):
    """From asking the other replica to the first event, of viewers whose connection the kill had broken."""
    fault = next((row for row in history if row["op"] == "fault"), None)
    broken, waiting, found = set(), {}, []
    for row in history:
        if row["op"] == "cut" and row["why"] == "broken" and fault and row["replica"] == fault["replica"]:
            broken.add(row["viewer"])
        elif row["op"] == "open" and row["viewer"] in broken and row["status"] == 200:
            broken.discard(row["viewer"])
            waiting[row["viewer"]] = row["asked"]
        elif row["op"] == "event" and row["viewer"] in waiting:
            found.append((row["t"] - waiting.pop(row["viewer"])) * 1000)
    return found


def rank(values, share):
    """The value at `share` of the sorted ones (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def summary(values):
    """Number, median, 99th percentile and maximum."""
    median, p99 = rank(values, 0.5), rank(values, 0.99)
    return f"n {len(values)}, median {median:.0f} ms, p99 {p99:.0f} ms, max {max(values):.0f} ms"


def broken_bounds(times):
    """The bounds that `times`, {name: [milliseconds]}, do not keep, in words."""
    return [
        f"{name}: {rank(times[name], share):.0f} ms, the bound is {bound} ms"
        for name, (share, bound) in BOUNDS.items()
        if times.get(name) and rank(times[name], share) >= bound
    ]
