"""What one history tells about times, in milliseconds; only runs with a single fault, or none, are measured."""

from quantiles import rank

# name: (share of the values, milliseconds that it must stay under); the lease of the runs is one second.
BOUNDS = {
    "abort to cancelled": (0.99, 250),
    "abort to cancelled, in the queue": (0.99, 250),
    "abort to cancelled, before the first token": (0.99, 250),
    "abort to cancelled, in mid-stream": (0.99, 250),
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


def _stays(history, viewer, since, until):
    """True where a quick reader's connection was open all the time, so that what it saw tells of the server."""
    rows = [row for row in history if row.get("viewer") == viewer and row["op"] in ("open", "cut")]
    before = [row for row in rows if row["t"] <= since]
    if any(since < row["t"] < until for row in rows) or not before:
        return False
    return before[-1]["op"] == "open" and before[-1]["status"] == 200 and not before[-1]["slow"]


def _aborts(history):
    """From the request to the terminal event that a viewer sees; one value an abort."""
    asked = {}
    for row in history:
        if row["op"] == "abort":
            asked.setdefault(row["id"], row["asked"])
    ids = {row["viewer"]: row["id"] for row in history if row["op"] == "open"}
    found = {}
    for row in history:
        if row["op"] == "event" and row["name"] == "cancelled":
            id = ids[row["viewer"]]
            if id in asked and _stays(history, row["viewer"], asked[id], row["t"]):
                found.setdefault(id, (row["t"] - asked[id]) * 1000)
    return list(found.values())


def _after_kill(history):
    """From the kill to the first token of the next attempt, for each request that lost its worker."""
    killed = next((row["t"] for row in history if row["op"] == "fault"), None)
    ids = {row["viewer"]: row["id"] for row in history if row["op"] == "open"}
    restarted, found = set(), {}
    for row in history:
        if row["op"] != "event" or killed is None or row["t"] < killed:
            continue
        viewer = row["viewer"]
        if row["name"] == "restarted":
            (restarted.add if "worker_lost" in row["data"] else restarted.discard)(viewer)
        elif row["name"] == "token" and viewer in restarted:
            restarted.discard(viewer)
            if _stays(history, viewer, killed, row["t"]):
                found.setdefault(ids[viewer], (row["t"] - killed) * 1000)
    return list(found.values())


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
            took = (row["t"] - waiting.pop(row["viewer"])) * 1000
            # Other events come at the timeout of a silent provider, not when the client reconnects.
            if row["name"] in ("token", "completed"):
                found.append(took)
    return found


def broken_bounds(times):
    """The bounds that `times`, {name: [milliseconds]}, do not keep, in words."""
    return [
        f"{name}: {rank(times[name], share):.0f} ms, the bound is {bound} ms"
        for name, (share, bound) in BOUNDS.items()
        if times.get(name) and rank(times[name], share) >= bound
    ]
