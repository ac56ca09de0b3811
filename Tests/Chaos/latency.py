"""What one history tells about times, in milliseconds; only runs with a single fault, or none, are measured."""


def latencies(history, single):
    """Returns {name: [milliseconds]}."""
    found = {}
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
    return [(t - asked[id]) * 1000 for id, t in ends.items() if id in asked and any_open(history, ids, id, asked[id])]


def any_open(history, ids, id, at):
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


def summary(values):
    """Number, median, 99th percentile and maximum (nearest rank)."""
    ordered = sorted(values)
    rank = lambda share: ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1))]
    return f"n {len(ordered)}, median {rank(0.5):.0f} ms, p99 {rank(0.99):.0f} ms, max {ordered[-1]:.0f} ms"
