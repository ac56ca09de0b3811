#!/usr/bin/env python3
"""Records what a release leaves in Redis, one command a line, for UpgradeTests: entries of every kind in every state.

    LEMMA=…/lemma Tests/System/upgrade/record_entries.py >Tests/System/upgrade/entries-<commit>.jsonl

LEMMA is the program of that commit. Replicas and Redis are its own; there is no PostgreSQL, so that all records wait.
Times to live are left out, because they would be over; so are functions, which each release brings itself. The last
line names what was recorded: {"requests": {what: id}, …}.
"""

import asyncio
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../ClusterSupport"))

from cluster import Cluster, Replica  # noqa: E402
from http_client import fetch, send  # noqa: E402

SCRIPT = """
fail when postponed
fail when dead
hang:2 when running
hang:2 when watched
"""
# A provider's failure leaves a request alone for up to this: long enough to be found so.
SETTINGS = {"DATABASE_URL": "postgres://lemma@127.0.0.1:1/lemma", "AI_MAX_RETRIES": "0", "JOB_LEASE": "30s"}
LEFT_OUT = ("SELECT", "FUNCTION", "PEXPIREAT")


async def status(api, id):
    return (await fetch(api.port, "GET", f"/api/math/requests/{id}"))[2]["status"]


async def until(condition):
    while not await condition():
        await asyncio.sleep(0.005)


class Recording:
    def __init__(self, cluster, api):
        self.cluster = cluster
        self.api = api
        self.requests = {}
        self.conversation = None

    async def submit(self, what, headers=None, **options):
        body = {"problem": f"a {what} one"}
        if "conversationId" in options:
            body["conversationId"] = options.pop("conversationId")
        body["options"] = options
        _, _, answer = await fetch(self.api.port, "POST", "/api/math/solve", headers or {}, body)
        self.requests[what] = answer["correlationId"]
        return answer

    async def is_in(self, what, *states):
        return await status(self.api, self.requests[what]) in states

    async def fill(self, worker):
        first = await self.submit("completed", {"Idempotency-Key": "kept"}, temperature=0.5)
        await until(lambda: self.is_in("completed", "completed"))
        await self.submit("cancelled")
        await fetch(self.api.port, "DELETE", f"/api/math/requests/{self.requests['cancelled']}")
        await self.submit("dead")
        await until(lambda: self.is_in("dead", "failed"))
        running = await self.submit("running", conversationId=first["conversationId"])
        await until(lambda: self.is_in("running", "running"))
        await self.submit("waiting", conversationId=running["conversationId"])
        watched = await self.submit("watched", onDisconnect="cancel")
        viewer = await send(self.api.port, "GET", watched["streamUrl"])
        await until(self.is_watched)
        await self.submit("postponed")
        await until(self.is_postponed)
        await worker.kill()
        await self.submit("queued")
        return viewer

    async def is_watched(self):
        return await self.cluster.ask_redis("ZCARD", "lemma:{p0}:watched") == 1

    async def is_postponed(self):
        return await self.cluster.ask_redis("ZCARD", "lemma:{p0}:delayed") == 1


def commands(raw):
    """The commands of an append-only file."""
    place = 0
    while place < len(raw):
        end = raw.index(b"\r\n", place)
        count, place, words = int(raw[place + 1 : end]), end + 2, []
        for _ in range(count):
            end = raw.index(b"\r\n", place)
            length = int(raw[place + 1 : end])
            words.append(raw[end + 2 : end + 2 + length].decode())
            place = end + 4 + length
        yield words


async def rewritten(cluster):
    """The shortest list of commands that makes what Redis has."""
    await cluster.ask_redis("CONFIG", "SET", "aof-use-rdb-preamble", "no")
    await cluster.ask_redis("BGREWRITEAOF")

    async def is_done():
        found = await cluster.ask_redis("INFO", "persistence")
        return "aof_rewrite_in_progress:0" in found and "aof_rewrite_scheduled:0" in found

    await until(is_done)
    folder = f"{cluster.folder}/appendonlydir"
    name = next(name for name in sorted(os.listdir(folder), reverse=True) if ".base." in name)
    with open(f"{folder}/{name}", "rb") as file:
        return list(commands(file.read()))


async def main():
    async with Cluster(apis=0, workers=0, settings=SETTINGS, script=SCRIPT, has_ways=False) as cluster:
        api, worker = Replica(cluster, "api", 0), Replica(cluster, "worker", 0)
        cluster.replicas = [api, worker]
        for replica in cluster.replicas:
            replica.spawn()
        for replica in cluster.replicas:
            await replica.ready()
        recording = Recording(cluster, api)
        viewer = await recording.fill(worker)
        await api.kill()
        viewer.close()
        for words in await rewritten(cluster):
            if words[0] not in LEFT_OUT:
                print(json.dumps(words))
        print(json.dumps({"requests": recording.requests}))


if __name__ == "__main__":
    asyncio.run(main())
