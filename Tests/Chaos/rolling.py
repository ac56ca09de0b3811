"""A restart of all replicas, one after the other, under live streams: none is lost, doubled or failed."""

import asyncio
import signal
import time

from checker import check
from cluster import Cluster, ClusterFailure
from database import SERVER
from session import settled, stopped
from workload import History, Plan, Viewers

SETTINGS = {
    "MOCK_TOKEN_DELAY": "500ms",
    "WORKER_CONCURRENCY": "2000",
    "DRAIN_GRACE": "1s",
    "JOB_LEASE": "10s",
    "SSE_HEARTBEAT": "2s",
    "STREAM_TTL_LIVE": "600s",
    "STREAM_TTL_DONE": "300s",
    "AI_FIRST_TOKEN_TIMEOUT": "30s",
    "AI_IDLE_TIMEOUT": "30s",
}
WORDS = 40


def live(history):
    """Viewers that have seen an event and not the end."""
    began = {row["viewer"] for row in history.rows if row["op"] == "event"}
    return len(began - {row["viewer"] for row in history.rows if row["op"] == "seen"})


async def restart(replica):
    replica.signal(signal.SIGTERM)
    if not await replica.gone(30) or replica.process.returncode != 0:
        raise ClusterFailure(f"{replica.name} does not end as it should after SIGTERM: {replica.process.returncode}")
    replica.spawn()
    await replica.ready(60)


async def rolling(streams):
    """Prints what happened and returns what broke a promise."""
    async with Cluster(settings=SETTINGS, has_ways=False) as cluster:
        history = History()
        history.add("limits", attempts=3, ttl_done=300_000, keeps_data=True, redis_faults=True)
        viewers = Viewers(cluster, history, 0, silence=15, are_steady=True)
        plans = [Plan.steady(0, number, WORDS, within=5) for number in range(streams)]
        tasks = [asyncio.create_task(viewers.student(plan)) for plan in plans]
        began = time.monotonic()
        while live(history) < streams:
            if time.monotonic() - began > 15:
                raise ClusterFailure(f"only {live(history)} of {streams} streams are live after 15 s")
            await asyncio.sleep(0.5)
        for replica in cluster.apis + cluster.workers:
            before, start = live(history), time.monotonic()
            await restart(replica)
            took = time.monotonic() - start
            print(f"{replica.name} restarted in {took:.1f} s under {before} live streams", flush=True)
            await asyncio.sleep(1)
        _, late = await asyncio.wait(tasks, timeout=120)
        await stopped(late)
        await settled(cluster, 30)
        await viewers.records()
        archive = await SERVER.archive(cluster.database)
        history.add("final", **await cluster.dump(), archive=archive)
    violations = check(history.rows)
    final = history.rows[-1]["requests"]
    ends = [fields.get("status") for fields in final.values()]
    if ends.count("completed") != streams:
        violations.append(f"{ends.count('completed')} of {streams} completed")
    cuts = sum(row["op"] == "cut" for row in history.rows) - streams
    tokens = sum(row["op"] == "event" for row in history.rows)
    print(f"{streams} streams, {tokens} events, {cuts} reconnects, {ends.count('completed')} completed")
    return violations
