"""One history from its beginning to its end: students against a cluster, whatever is done to it, and the judgement."""

import asyncio
import json
import random
import time

from checker import check
from database import SERVER
from redis_link import RedisFailure
from workload import TERMINAL, History, Viewers

# After the last fault everything must come to its end within this many seconds.
SETTLE = 25


async def settled(cluster, limit):
    """Waits until no job is left, and returns what Redis has then; the checker judges whether it came to that.

    A submission that a partition held back can arrive seconds after it was healed, as TCP repeats it: what is judged is
    the state that was found idle, not a later one.
    """
    deadline = time.monotonic() + limit
    found = None
    while found is None or time.monotonic() < deadline:
        start = time.monotonic()
        try:
            found = await cluster.dump()
            idle = all(q["length"] == 0 and q["pending"] == 0 for q in found["queue"].values())
            if idle and all(fields.get("status") in TERMINAL for fields in found["requests"].values()):
                return found
        except (OSError, EOFError, RedisFailure):
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(max(0.1, 3 * (time.monotonic() - start)))
    return found


async def stopped(tasks):
    """Cancels tasks until all have ended; once is not always enough (`asyncio.wait_for` may swallow it)."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1)


async def finished(tasks, limit):
    """Waits for the students; who is not done by then is told to go, and the history says so."""
    _, late = await asyncio.wait(tasks, timeout=limit)
    await stopped(late)
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def watch_lag(history):
    """Notes when this process itself stood still: the machine is busy."""
    while True:
        due = time.monotonic() + 0.1
        await asyncio.sleep(0.1)
        if (lag := time.monotonic() - due) > 0.25:
            history.add("lag", seconds=round(lag, 2))


async def base_line(replicas):
    """Descriptors and memory of each once its connections are there.

    Replicas of a role come to the same number of descriptors; it has to stay for half a second.
    """
    found, since, deadline = None, time.monotonic(), time.monotonic() + 10
    while time.monotonic() < deadline and time.monotonic() - since < 0.5:
        now = {(one.name, one.generation): one.measure() for one in replicas}
        counts = {(one.role, now[one.name, one.generation][0]) for one in replicas}
        if found is None or len(counts) > 2 or any(now[name][0] != found[name][0] for name in now):
            since = time.monotonic()
        found = now
        await asyncio.sleep(0.05)
    return found


async def measured(cluster, history, before, limit=5):
    """Descriptors come back to what they were, given a moment to close."""
    for replica in cluster.replicas:
        base = before.get((replica.name, replica.generation))
        if base is None or not replica.is_running:
            continue
        deadline = time.monotonic() + limit
        while (found := replica.measure())[0] > base[0] and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        history.add(
            "replica",
            name=replica.name,
            descriptors=found[0],
            descriptors_before=base[0],
            resident=found[1],
            resident_before=base[1],
        )


class Session:
    """`async with Session(cluster, plans, …) as session`: students at work; `violations` is filled at the end.

    `limits` is what the checker has to know besides the usual. Steady viewers come at once and never leave.
    """

    def __init__(self, cluster, plans, seed=0, are_steady=False, **limits):
        self.cluster = cluster
        self.plans = plans
        self.seed = seed
        self.history = History()
        usual = {"attempts": 3, "ttl_done": 300_000, "keeps_data": True, "redis_faults": True, "seed": seed}
        self.history.add("limits", **dict(usual, **limits))
        self.viewers = Viewers(cluster, self.history, seed, are_steady=are_steady)
        self.violations = []

    async def __aenter__(self):
        self.before = await base_line(self.cluster.replicas)
        self.lag = asyncio.create_task(watch_lag(self.history))
        self.tasks = [asyncio.create_task(self.viewers.student(plan)) for plan in self.plans]
        return self

    async def __aexit__(self, kind, *_):
        try:
            if kind is None:
                await self._end()
        finally:
            self.viewers.deadline = time.monotonic()
            await stopped([self.lag, *self.tasks])

    async def _end(self):
        self.history.add("quiet")
        viewers = self.viewers
        viewers.deadline = time.monotonic() + SETTLE
        await finished(self.tasks, SETTLE)
        await settled(self.cluster, max(1.0, viewers.deadline - time.monotonic()))
        await viewers.spy(random.Random(f"{self.seed}/late spy"))
        await viewers.records()
        found = await settled(self.cluster, max(1.0, viewers.deadline - time.monotonic()))
        archive = await SERVER.archive(self.cluster.database)
        self.history.add("final", **found, archive=archive)
        self.lag.cancel()
        await measured(self.cluster, self.history, self.before)
        self.violations = check(self.history.rows)

    def seen(self, name):
        """The rows of the events of this name that viewers have seen so far."""
        return [row for row in self.history.rows if row["op"] == "event" and row["name"] == name]

    def keep(self, folder):
        """Writes the history and the verdict beside copies of the logs."""
        self.cluster.keep(folder)
        with open(f"{folder}/history.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in self.history.rows)
        with open(f"{folder}/violations", "w", encoding="utf-8") as file:
            file.writelines(f"{one}\n" for one in self.violations)
