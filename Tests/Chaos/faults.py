"""Each fault by itself, at a fixed moment, with what is promised for it. Run: chaos.py faults"""

import asyncio
import fcntl
import os
import subprocess
import time

from cluster import Cluster
from http_client import fetch, send
from nemesis import HOUR
from network import Way
from session import Session
from workload import Plan

FAULTS = {}
# What was measured, by the fault's name.
NOTES = {}


def fault(function):
    """A test: returns what broke a promise, in words; nothing when all is well."""
    FAULTS[function.__name__] = function
    return function


def students(cluster, count=12, words=120, late=0, **limits):
    """Answers of about one and a half seconds, each with one viewer that stays, and `late` ones that come later."""
    plans = [Plan.steady(1, number, words, 0.5) for number in range(count)]
    plans += [Plan.steady(1, count + number, 60, 3) for number in range(late)]
    return Session(cluster, plans, are_steady=True, **limits)


async def under_way(session):
    """Returns when every student sees its answer grow."""
    deadline = time.monotonic() + 20
    while len({row["viewer"] for row in session.seen("token")}) < len(session.plans):
        if time.monotonic() > deadline:
            raise AssertionError("the answers never began")
        await asyncio.sleep(0.01)


async def metric(replica, name):
    """The sum of a metric over its labels."""
    response = await send(replica.ops_port, "GET", "/metrics")
    try:
        lines = (await response.body()).decode().split("\n")
    finally:
        response.close()
    return sum(float(line.split(" ")[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


async def becomes(condition, limit):
    """Whether the condition, which may be asked often, holds within so many seconds."""
    deadline = time.monotonic() + limit
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def unless(*pairs):
    """The words of the conditions that do not hold."""
    return [words for holds, words in pairs if not holds]


async def submit(session, api, problem):
    """Submits a problem besides those of the students, which the checker is told of; returns the answer's body."""
    session.history.add("submit", request=problem, problem=problem, text=problem + " ", key=None)
    return (await fetch(api.port, "POST", "/api/math/solve", body={"problem": problem}))[2]


def cuts(session, replica):
    """Connections of viewers that this replica or its silence ended before the end of the answer."""
    rows = [row for row in session.history.rows if row["op"] == "cut" and row["replica"] == replica.name]
    return [row for row in rows if row["why"] != "end"]


# Packets


@fault
async def lost_packets():
    """5 % of the packets between all replicas and Redis are lost, and nothing else is"""
    async with Cluster() as cluster:
        for replica in cluster.replicas:
            replica.way.lose(0.05)
        async with students(cluster, words=200) as session:
            await asyncio.gather(*session.tasks)
            lost = sum(replica.way.hits() for replica in cluster.replicas)
            for replica in cluster.replicas:
                replica.way.heal()
        return session.violations + unless((lost > 20, f"only {lost} packets were lost"))


@fault
async def slow_ways():
    """with 80 ms to Redis and 80 ms back everything is slower, and no job changes hands"""
    async with Cluster() as cluster:
        for replica in cluster.replicas:
            replica.way.delay()
        async with students(cluster) as session:
            await asyncio.gather(*session.tasks)
            for replica in cluster.replicas:
                replica.way.heal()
        submitted = [row["t"] for row in session.history.rows if row["op"] == "submit"]
        accepted = [row["t"] for row in session.history.rows if row["op"] == "accepted"]
        return session.violations + unless(
            (min(accepted) - min(submitted) > 0.15, "the way was not slow"),
            (not session.seen("restarted"), "jobs changed hands"),
        )


@fault
async def api_cut_off():
    """an API replica cut off from Redis keeps its viewers, refuses problems with 503, and goes on where it was"""
    async with Cluster() as cluster:
        api = cluster.apis[0]
        async with students(cluster, words=300) as session:
            await under_way(session)
            api.way.cut()
            # Refused or not, it may have been accepted: Redis gets what was sent when the way is there again.
            one = session.plans[0]
            key = {"Idempotency-Key": one.key}
            refused, headers, _ = await fetch(api.port, "POST", "/api/math/solve", key, {"problem": one.problem})
            ready, _, _ = await fetch(api.ops_port, "GET", "/readyz")
            alive, _, _ = await fetch(api.ops_port, "GET", "/healthz")
            broken = cuts(session, api)
            api.way.heal()
        return session.violations + unless(
            (refused == 503 and "retry-after" in headers, f"a submission was answered with {refused}"),
            (ready == 503 and alive == 200, f"ready {ready}, alive {alive}"),
            (not broken, f"viewers lost their connection: {broken[:1]}"),
        )


@fault
async def worker_cut_off():
    """a worker cut off for longer than its lease is replaced, and nothing that it writes afterwards is seen"""
    async with Cluster() as cluster:
        worker = cluster.workers[0]
        async with students(cluster, words=200) as session:
            await under_way(session)
            worker.way.cut()
            await asyncio.sleep(3)
            worker.way.heal()
        lost = [row for row in session.seen("restarted") if "worker_lost" in row["data"]]
        return session.violations + unless((lost, "no job was taken over"))


async def half_open(cut):
    async with Cluster() as cluster:
        async with students(cluster, words=200) as session:
            await under_way(session)
            for replica in (cluster.apis[0], cluster.workers[0]):
                cut(replica.way)
            await asyncio.sleep(2.5)
            for replica in (cluster.apis[0], cluster.workers[0]):
                replica.way.heal()
        return session.violations


@fault
async def deaf():
    """what Redis sends to an API replica and a worker is lost, what they send arrives"""
    return await half_open(Way.cut_from)


@fault
async def dumb():
    """what an API replica and a worker send to Redis is lost, what it sends arrives"""
    return await half_open(Way.cut_to)


@fault
async def connections_reset():
    """every connection to Redis is reset, three times"""
    async with Cluster() as cluster:
        async with students(cluster, words=200) as session:
            await under_way(session)
            for _ in range(3):
                for replica in cluster.replicas:
                    replica.way.refuse()
                await asyncio.sleep(0.2)
                for replica in cluster.replicas:
                    replica.way.heal()
                await asyncio.sleep(0.2)
        return session.violations


# Clocks


async def replica_clocks(ahead):
    async with Cluster(has_clocks=True) as cluster:
        async with students(cluster, words=200) as session:
            await under_way(session)
            for replica in (cluster.apis[0], cluster.workers[0]):
                replica.clock.set(ahead)
            wrong, right = cluster.apis
            ways = [(wrong, right), (right, wrong)]
            statuses = []
            for number, (one, other) in enumerate(ways):
                body = await submit(session, one, f"ticket {number}")
                stream = await send(other.port, "GET", body["streamUrl"])
                statuses.append(stream.status)
                stream.close()
        return session.violations + unless(
            (statuses == [200, 200], f"tickets of replicas an hour apart: {statuses}"),
            (not session.seen("restarted"), "jobs changed hands"),
        )


@fault
async def replica_clocks_ahead():
    """the clocks of an API replica and a worker jump an hour ahead: nothing happens"""
    return await replica_clocks(HOUR)


@fault
async def replica_clocks_back():
    """the same an hour back"""
    return await replica_clocks(-HOUR)


@fault
async def redis_clock_ahead():
    """Redis' clock jumps an hour ahead: leases are over at once, and every request still ends once"""
    settings = {"STREAM_TTL_LIVE": "3h", "STREAM_TTL_DONE": "2h", "JOB_MAX_ATTEMPTS": "5"}
    async with Cluster(has_clocks=True, settings=settings) as cluster:
        async with students(cluster, attempts=5, ttl_done=2 * HOUR * 1000) as session:
            await under_way(session)
            cluster.redis_clock.set(HOUR)
        return session.violations


@fault
async def redis_clock_back():
    """Redis' clock jumps an hour back: what runs goes on, what comes runs, and a worker that drains hands over"""
    async with Cluster(has_clocks=True) as cluster:
        async with students(cluster, words=200, late=6, ttl_done=300_000 + HOUR * 1000) as session:
            await asyncio.sleep(1)
            cluster.redis_clock.set(-HOUR)
            await asyncio.sleep(0.6)
            cluster.workers[0].signal(15)
            gone = await cluster.workers[0].gone(12)
        return session.violations + unless((gone, "the worker does not end"))


@fault
async def redis_clock_beyond_expiry():
    """Redis' clock jumps beyond the life of its keys: who watches is told that the request is gone"""
    async with Cluster(has_clocks=True) as cluster:
        async with students(cluster, keeps_data=False) as session:
            await under_way(session)
            cluster.redis_clock.set(HOUR)
        return session.violations


# Logs


async def with_logs(prepare):
    """Students on replicas whose logs lead to `prepare(cluster)`; a worker is lost, so that there is much to say."""
    async with Cluster(start=False) as cluster:
        device = prepare(cluster)
        for replica in cluster.replicas:
            replica.log_device = device
        await cluster.start()
        async with students(cluster, words=200) as session:
            await under_way(session)
            await cluster.workers[0].kill()
            cluster.workers[0].spawn()
            await cluster.workers[0].ready()
        return session.violations


@fault
async def log_disk_full():
    """a full disk under the logs costs log lines and nothing else"""

    def small_disk(cluster):
        folder = f"{cluster.folder}/logs"
        os.mkdir(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], check=True)
        cluster.mounts.append(folder)
        with open(f"{folder}/filler", "wb") as file:
            file.write(b"x" * 4000)
        return f"{folder}/log"

    return await with_logs(small_disk)


@fault
async def log_pipe_blocked():
    """a log reader that does not read holds up nothing"""

    def full_pipe(cluster):
        path = f"{cluster.folder}/pipe"
        os.mkfifo(path)
        # Never read, and closed by this process' end.
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)
        os.write(end, b"x" * 4096)
        return path

    return await with_logs(full_pipe)
