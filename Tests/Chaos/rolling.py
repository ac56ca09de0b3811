"""Replicas replaced under live streams, behind a proxy, in the order and with the signals and times of k8s/base.

For each Deployment, both at once, as `kubectl apply` does it: a new pod is started; when it has been ready for
`minReadySeconds` an old one is deleted, and the next new one is started meanwhile. A deleted pod loses its endpoint
while its `preStop` runs, then gets SIGTERM, and SIGKILL at the end of its grace period, which must not come to pass.
"""

import asyncio
import signal
import time

from checker import check
from cluster import Cluster, ClusterFailure, Replica, program
from database import SERVER
from http_client import fetch
from proxy import Proxy
from quantiles import rank
from session import settled, stopped, watch_lag
from workload import History, Plan, Viewers

PACE = 0.5
WORDS = 120
SETTINGS = {
    "MOCK_TOKEN_DELAY": f"{PACE * 1000:.0f}ms",
    "WORKER_CONCURRENCY": "2000",
    "AI_MAX_CONCURRENCY": "4000",
    "JOB_LEASE": "30s",
    "SSE_HEARTBEAT": "15s",
    "STREAM_TTL_LIVE": "600s",
    "STREAM_TTL_DONE": "300s",
    "AI_FIRST_TOKEN_TIMEOUT": "30s",
    "AI_IDLE_TIMEOUT": "30s",
}
# As in k8s/base, but for the workers' DRAIN_GRACE of two minutes: so that answers outlive it and are handed over.
MIN_READY = 5
ENDPOINT_DELAY = 1
PRE_STOP = {"api": 5, "worker": 0}
DRAIN_GRACE = {"api": "25s", "worker": "15s"}
GRACE_PERIOD = {"api": 60, "worker": 60}
# The longest gap that a student in a hundred may see, beyond the provider's own pace.
GAP_MAX = 2.0


class Front:
    """What students take for the API: the proxy alone."""

    def __init__(self, proxy):
        self.apis = [proxy]


class Deployment:
    """The pods of one role, replaced by those of `binary`."""

    def __init__(self, cluster, proxy, role, pods):
        self.cluster = cluster
        self.proxy = proxy
        self.role = role
        self.pods = pods
        self.deletions = []

    async def replace(self, fresh):
        for new, old in zip(fresh, list(self.pods)):
            new.spawn()
            await ready(new)
            await asyncio.sleep(MIN_READY)
            self.pods.append(new)
            self.pods.remove(old)
            self.deletions.append(asyncio.create_task(self.delete(old)))
        await asyncio.gather(*self.deletions)

    async def delete(self, pod):
        began = time.monotonic()
        if self.role == "api":
            await asyncio.sleep(ENDPOINT_DELAY)
            await self.proxy.take_away(pod)
        await asyncio.sleep(max(0, began + PRE_STOP[self.role] - time.monotonic()))
        pod.signal(signal.SIGTERM)
        if not await pod.gone(began + GRACE_PERIOD[self.role] - time.monotonic()) or pod.process.returncode != 0:
            raise ClusterFailure(f"{pod.name} does not end as it should after SIGTERM: {pod.process.returncode}")
        print(f"{pod.name} is gone {time.monotonic() - began:.1f} s after its deletion", flush=True)


async def ready(pod, limit=60):
    """As the readiness probe asks."""
    deadline, answer = time.monotonic() + limit, None
    while time.monotonic() < deadline:
        status, _, answer = await fetch(pod.ops_port, "GET", "/readyz", timeout=3)
        if status == 200:
            return
        if not pod.is_running:
            raise ClusterFailure(f"{pod.name} ended with {pod.process.returncode}")
        await asyncio.sleep(0.5)
    raise ClusterFailure(f"{pod.name} is not ready after {limit} s: {answer}")


def live(history):
    """Viewers that have seen an event and not the end."""
    began = {row["viewer"] for row in history.rows if row["op"] == "event"}
    return len(began - {row["viewer"] for row in history.rows if row["op"] == "seen"})


def gaps(history):
    """The longest time between two events of each viewer, from its first token on, in seconds; and the longest of those
    that end with a new attempt, of those in which the connection was another's, and of the waits for such a
    connection's head."""
    last, opened = {}, {}
    longest = {"any": {}, "hand-over": {}, "reconnect": {}, "head": {}}
    for row in history.rows:
        viewer = row.get("viewer")
        if row["op"] == "open":
            opened[viewer] = row["t"]
            if row["cursor"]:
                # Has no token's pace in it, which is taken off all of them.
                longest["head"][viewer] = max(longest["head"].get(viewer, 0), row["t"] - row["asked"] + PACE)
        if row["op"] != "event" or (viewer not in last and row["name"] != "token"):
            continue
        if viewer in last:
            gap = row["t"] - last[viewer]
            kinds = ["any"]
            kinds += ["hand-over"] if row["name"] == "restarted" else []
            kinds += ["reconnect"] if opened[viewer] > last[viewer] else []
            for kind in kinds:
                longest[kind][viewer] = max(longest[kind].get(viewer, 0), gap)
        last[viewer] = row["t"]
    return {kind: list(values.values()) for kind, values in longest.items()}


def pods(cluster, role, generation, binary):
    settings = {"DRAIN_GRACE": DRAIN_GRACE[role]}
    return [Replica(cluster, role, f"{generation}{index}", binary, settings) for index in "ab"]


async def rolling(streams, old=None):
    """Prints what happened and returns what broke a promise.

    With the program of another release, `old`: from that to this one and back.
    """
    binaries = [old, program(), old] if old else [program(), program()]
    roles = ("api", "worker")
    async with Cluster(apis=0, workers=0, settings=SETTINGS, has_ways=False) as cluster:
        generations = [{role: pods(cluster, role, n, binary) for role in roles} for n, binary in enumerate(binaries)]
        # So that whatever happens to the cluster happens to them.
        cluster.replicas = [pod for generation in generations for role in roles for pod in generation[role]]
        for pod in generations[0]["api"] + generations[0]["worker"]:
            pod.spawn()
        for pod in generations[0]["api"] + generations[0]["worker"]:
            await ready(pod)
        proxy = Proxy(cluster.folder, [pod for generation in generations for pod in generation["api"]])
        try:
            await proxy.up(generations[0]["api"])
            return await under_load(cluster, proxy, generations, streams)
        finally:
            proxy.stop()


async def under_load(cluster, proxy, generations, streams):
    history = History()
    history.add("limits", attempts=3, ttl_done=300_000, keeps_data=True, redis_faults=True)
    viewers = Viewers(Front(proxy), history, 0, silence=40, are_steady=True)
    plans = [Plan.steady(0, number, WORDS, within=10) for number in range(streams)]
    lag = asyncio.create_task(watch_lag(history))
    tasks = [asyncio.create_task(viewers.student(plan)) for plan in plans]
    await all_live(history, streams)
    deployments = [Deployment(cluster, proxy, role, list(generations[0][role])) for role in ("api", "worker")]
    for fresh in generations[1:]:
        before, start = live(history), time.monotonic()
        await asyncio.gather(*(one.replace(fresh[one.role]) for one in deployments))
        libraries = await cluster.ask_redis("FUNCTION", "LIST")
        print(
            f"rolled out in {time.monotonic() - start:.0f} s, under {before} live streams at its beginning and"
            f" {live(history)} at its end; {len(libraries)} function libraries",
            flush=True,
        )
    _, late = await asyncio.wait(tasks, timeout=240)
    await stopped([*late, lag])
    await settled(cluster, 30)
    await viewers.records()
    history.add("final", **await cluster.dump(), archive=await SERVER.archive(cluster.database))
    return judged(history, streams)


async def all_live(history, streams):
    began = time.monotonic()
    while live(history) < streams:
        if time.monotonic() - began > 45:
            raise ClusterFailure(f"only {live(history)} of {streams} streams are live after 45 s")
        await asyncio.sleep(0.5)


def judged(history, streams):
    violations = check(history.rows)
    final = history.rows[-1]["requests"]
    ends = [fields.get("status") for fields in final.values()]
    if ends.count("completed") != streams:
        violations.append(f"{ends.count('completed')} of {streams} completed")
    names = [row["name"] for row in history.rows if row["op"] == "event"]
    cuts = sum(row["op"] == "cut" for row in history.rows) - streams
    lags = [row["seconds"] for row in history.rows if row["op"] == "lag"]
    print(
        f"{streams} streams, {len(names)} events, {cuts} reconnects, {names.count('restarted')} answers handed over,"
        f" {ends.count('completed')} completed; the load generator stood still for {max(lags, default=0)} s at most"
    )
    print(f"each student's longest gap between two events, beyond the provider's {PACE} s:")
    found = gaps(history)
    for kind, values in found.items():
        shown = [f"p{share * 100:.0f} {rank(values, share) - PACE:.2f} s" for share in (0.5, 0.95, 0.99, 1) if values]
        print(f"    {kind}: {', '.join(shown)}")
    longest = rank(found["any"], 0.99) - PACE
    if longest > GAP_MAX:
        violations.append(f"p99 of the longest gap is {longest:.2f} s beyond the provider's pace")
    return violations
