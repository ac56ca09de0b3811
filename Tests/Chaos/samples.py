"""Many samples of the times that Lemma promises, of one cluster with one fault at a time; latency.py has the bounds."""

import asyncio
import time

from cluster import ClusterFailure, Cluster
from http_client import fetch, send

# Requests at once.
BATCH = 25
LONG = " ".join(f"w{number}" for number in range(400))


class Watched:
    """One request, and what its only viewer sees, with the times at which it saw it."""

    def __init__(self, api):
        self.api = api
        self.cursor = ""
        self.events = []
        self.changed = asyncio.Condition()

    async def submit(self, problem):
        status, headers, _ = await fetch(self.api.port, "POST", "/api/math/solve", body={"problem": problem})
        if status != 202:
            raise ClusterFailure(f"a submission was answered with {status}")
        self.id = headers["location"].rsplit("/", 1)[1]

    async def watch(self, api):
        """Reads to the end of the response or of the connection."""
        headers = {"Last-Event-ID": self.cursor} if self.cursor else {}
        response = await send(api.port, "GET", f"/api/math/stream/{self.id}", headers)
        try:
            async for eid, name, data in response.events():
                self.cursor = eid or self.cursor
                async with self.changed:
                    self.events.append((time.monotonic(), name, data))
                    self.changed.notify_all()
        except Exception as error:
            return error
        finally:
            response.close()

    async def first(self, name, since=0, limit=20):
        """When the first event of this name since then came."""

        def found():
            return next((at for at, one, _ in self.events if one == name and at >= since), None)

        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: found() is not None), limit)
        return found()


async def begun(cluster, problem, phase, count, start=0):
    """That many requests, all of which are in this phase, and the tasks that watch them on the API replica `start`."""
    api = cluster.apis[start]
    requests = [Watched(api) for _ in range(count)]
    await asyncio.gather(*(one.submit(problem) for one in requests))
    tasks = [asyncio.create_task(one.watch(api)) for one in requests]
    await asyncio.gather(*(one.first(phase) for one in requests))
    return requests, tasks


async def aborts(phase, problem, samples, workers):
    """Milliseconds from the DELETE to the event `cancelled`, one abort after the other while all others run."""
    found = []
    settings = {"AI_FIRST_TOKEN_TIMEOUT": "60s"}
    async with Cluster(workers=workers, script="hang:0 when silent\n", settings=settings) as cluster:
        while len(found) < samples:
            requests, tasks = await begun(cluster, problem, phase, BATCH)
            for one in requests:
                asked = time.monotonic()
                status, _, _ = await fetch(one.api.port, "DELETE", f"/api/math/requests/{one.id}")
                if status not in (200, 202):
                    raise ClusterFailure(f"an abort was answered with {status}")
                found.append((await one.first("cancelled") - asked) * 1000)
            await asyncio.gather(*tasks)
    return found


async def worker_kills(samples):
    """Milliseconds from the kill of a worker to the first token of the next attempt, by requests it had."""
    found = []
    async with Cluster() as cluster:
        while len(found) < samples:
            requests, tasks = await begun(cluster, LONG, "token", BATCH)
            victim = cluster.workers[0]
            killed = time.monotonic()
            await victim.kill()
            victim.spawn()
            await asyncio.gather(*(one.first("completed", limit=60) for one in requests))
            for one in requests:
                if any(name == "restarted" for _, name, _ in one.events):
                    restarted = await one.first("restarted")
                    found.append((await one.first("token", since=restarted) - killed) * 1000)
            await asyncio.gather(*tasks)
            await victim.ready()
    return found


async def api_kills(samples):
    """Milliseconds from the reconnection, to the other replica, to the next event."""
    found = []
    async with Cluster() as cluster:
        while len(found) < samples:
            requests, tasks = await begun(cluster, LONG, "token", BATCH)
            victim, other = cluster.apis
            await victim.kill()
            await asyncio.gather(*tasks)
            asked = time.monotonic()
            tasks = [asyncio.create_task(one.watch(other)) for one in requests]
            found += [(await one.first("token", since=asked) - asked) * 1000 for one in requests]
            victim.spawn()
            await asyncio.gather(*tasks, victim.ready())
    return found


async def samples(count):
    """{what: [milliseconds]}, at least `count` of each."""
    return {
        "abort to cancelled, in the queue": await aborts("queued", LONG, count, workers=0),
        "abort to cancelled, before the first token": await aborts("started", "silent", count, workers=1),
        "abort to cancelled, in mid-stream": await aborts("token", LONG, count, workers=1),
        "worker killed to next token": await worker_kills(count),
        "api killed, reconnect to next event": await api_kills(count),
    }
