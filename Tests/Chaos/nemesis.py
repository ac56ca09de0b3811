"""The faults of one run: drawn from the seed, applied one or two at a time, and healed again."""

import asyncio
import os
import random
import shutil
import signal

from redis_link import RedisFailure

LEASE = 1.0

# name: (weight, needs Redis to misbehave)
FAULTS = {
    "worker_kill": (4, False),
    "worker_freeze": (4, False),
    "worker_drain": (2, False),
    "api_kill": (3, False),
    "api_freeze": (1, False),
    "api_drain": (2, False),
    "redis_freeze": (2, True),
    "redis_restart": (2, True),
    "client_kill": (3, True),
    "pubsub_kill": (2, True),
    "function_flush": (2, True),
    "group_destroy": (2, True),
    "out_of_memory": (2, True),
    "no_replicas": (2, True),
    "slow_link": (2, True),
    "lossy_link": (2, True),
    "cut_links": (2, True),
    "partition": (4, True),
    "half_open": (2, True),
    "database_cut": (2, False),
    "worker_clock": (1, False),
    "api_clock": (1, False),
    "redis_clock": (1, True),
}
CLOCKS = {"worker_clock", "api_clock", "redis_clock"}
LINKS = {"slow_link", "lossy_link", "cut_links", "partition", "half_open"}
HOUR = 3600
# How far Redis' clock jumps, in seconds: ahead, every lease is over at once; back, jobs of the dead wait as long.
REDIS_JUMPS = [40, -3]
LOSSES = ["flush_all", "restart_empty", "roll_back"]


class Nemesis:
    """`plan` is a list of (seconds from the start, fault); `single` names the one fault of a run that measures."""

    def __init__(self, seed, without=()):
        self.rng = random.Random(f"{seed}/nemesis")
        self.single = None
        self.loses_data = False
        self.redis_ahead = 0
        names = [name for name in FAULTS if name not in without]
        draw = self.rng.random()
        if draw < 0.08:
            self.plan, self.single = [], "calm"
        elif draw < 0.24:
            self.single = "worker_kill" if draw < 0.16 else "api_kill"
            self.plan = [(self.rng.uniform(0.8, 2.0), self.single)]
        else:
            count = self.rng.randrange(2, 6)
            weights = [FAULTS[name][0] for name in names]
            self.plan = [(self.rng.uniform(0.2, 3.2), name) for name in self.rng.choices(names, weights, k=count)]
            if draw > 0.88 and not without:
                self.loses_data = True
                self.plan.append((self.rng.uniform(0.8, 2.5), self.rng.choice(LOSSES)))
        self.plan.sort()
        names = {name for _, name in self.plan}
        self.sets_clocks = bool(names & CLOCKS)
        # Redis' clock may jump back so far in all, in seconds.
        self.clock_back = -min(REDIS_JUMPS) * [name for _, name in self.plan].count("redis_clock")
        self.touches_redis = self.loses_data or any(FAULTS[name][1] for _, name in self.plan if name in FAULTS)

    async def run(self, cluster, history):
        """Returns when every fault has been healed."""
        self.cluster, self.history = cluster, history
        # Faults of the same object do not overlap: one lock for Redis, one for each replica.
        self.redis_lock = asyncio.Lock()
        self.locks = {replica.name: asyncio.Lock() for replica in cluster.replicas}
        own = [random.Random(f"{number}/{at}") for number, (at, _) in enumerate(self.plan)]
        await asyncio.gather(*(self._later(at, name, rng) for (at, name), rng in zip(self.plan, own)))
        await self._heal()

    async def _later(self, at, name, rng):
        await asyncio.sleep(at)
        if name in LOSSES or FAULTS[name][1] and name not in LINKS:
            async with self.redis_lock:
                self.history.add("fault", name=name)
                await getattr(self, name)(rng)
                self.history.add("healed", name=name)
            return
        role = name.split("_")[0]
        pool = {"worker": self.cluster.workers, "api": self.cluster.apis}.get(role, self.cluster.replicas)
        replica = rng.choice(pool)
        async with self.locks[replica.name]:
            self.history.add("fault", name=name, replica=replica.name)
            await getattr(self, name)(rng, replica)
            self.history.add("healed", name=name, replica=replica.name)

    async def _heal(self):
        for replica in self.cluster.replicas:
            replica.way.heal()
            replica.database_way.heal()
            replica.signal(signal.SIGCONT)

    # Replicas

    async def _kill(self, rng, replica):
        await replica.kill()
        await asyncio.sleep(rng.uniform(0.05, 1.2))
        replica.spawn()
        await replica.ready()

    worker_kill = api_kill = _kill

    async def _freeze(self, rng, replica, seconds):
        replica.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        replica.signal(signal.SIGCONT)

    async def worker_freeze(self, rng, replica):
        await self._freeze(rng, replica, rng.uniform(0.3, LEASE * 2.5 + 1))

    async def api_freeze(self, rng, replica):
        await self._freeze(rng, replica, rng.uniform(0.2, 1.5))

    async def _drain(self, rng, replica):
        replica.signal(signal.SIGTERM)
        if not await replica.gone(12):
            self.history.add("stuck", name=f"{replica.name} does not end after SIGTERM")
            await replica.kill()
        elif replica.process.returncode != 0:
            self.history.add("stuck", name=f"{replica.name} ended with {replica.process.returncode} after SIGTERM")
        replica.spawn()
        await replica.ready()

    worker_drain = api_drain = _drain

    # Clocks

    async def _clock(self, rng, replica):
        """An hour off, for the rest of the run or only for a while."""
        replica.clock.set(rng.choice([-HOUR, HOUR]))
        await asyncio.sleep(rng.uniform(0.2, 1.5))
        if rng.random() < 0.5:
            replica.clock.set(0)

    worker_clock = api_clock = _clock

    async def redis_clock(self, rng):
        self.redis_ahead += rng.choice(REDIS_JUMPS)
        self.cluster.redis_clock.set(self.redis_ahead)

    # Links

    async def _disturb(self, way, seconds):
        await asyncio.sleep(seconds)
        way.heal()

    async def slow_link(self, rng, replica):
        replica.way.delay()
        await self._disturb(replica.way, rng.uniform(0.3, 1.5))

    async def lossy_link(self, rng, replica):
        replica.way.lose(0.05)
        await self._disturb(replica.way, rng.uniform(0.5, 2.5))

    async def cut_links(self, rng, replica):
        for _ in range(rng.randrange(1, 4)):
            replica.way.refuse()
            await self._disturb(replica.way, rng.uniform(0.02, 0.3))
            await asyncio.sleep(rng.uniform(0.02, 0.3))

    async def partition(self, rng, replica):
        replica.way.cut()
        await asyncio.sleep(rng.uniform(0.2, LEASE * 2.5 + 1))
        if rng.random() < 0.5:
            replica.way.refuse()
            await asyncio.sleep(0.05)
        replica.way.heal()

    async def half_open(self, rng, replica):
        rng.choice([replica.way.cut_from, replica.way.cut_to])()
        await self._disturb(replica.way, rng.uniform(0.2, LEASE * 2.5 + 1))

    async def database_cut(self, rng, replica):
        """PostgreSQL is out of reach for one replica, or all of a sudden closed to it."""
        rng.choice([replica.database_way.cut, replica.database_way.refuse])()
        await self._disturb(replica.database_way, rng.uniform(0.5, 3))

    # Redis

    async def _ask(self, *words):
        try:
            return await self.cluster.ask_redis(*words)
        except (OSError, EOFError, RedisFailure, asyncio.TimeoutError) as error:
            self.history.add("note", name=f"{words}: {error}")

    async def redis_freeze(self, rng):
        self.cluster.redis.send_signal(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(0.1, 2.6))
        self.cluster.redis.send_signal(signal.SIGCONT)

    async def redis_restart(self, rng):
        await self.cluster.kill_redis()
        await asyncio.sleep(rng.uniform(0, 0.6))
        await self.cluster.start_redis()

    async def client_kill(self, rng):
        await self._ask("CLIENT", "KILL", "TYPE", "normal")

    async def pubsub_kill(self, rng):
        for _ in range(rng.randrange(1, 3)):
            await self._ask("CLIENT", "KILL", "TYPE", "pubsub")
            await asyncio.sleep(rng.uniform(0, 0.3))

    async def function_flush(self, rng):
        await self._ask("FUNCTION", "FLUSH")

    async def group_destroy(self, rng):
        for partition in range(3):
            await self._ask("XGROUP", "DESTROY", f"lemma:{{p{partition}}}:jobs", "workers")

    async def out_of_memory(self, rng):
        await self._ask("CONFIG", "SET", "maxmemory", "1kb")
        await asyncio.sleep(rng.uniform(0.2, 1.5))
        await self._ask("CONFIG", "SET", "maxmemory", "0")

    async def no_replicas(self, rng):
        await self._ask("CONFIG", "SET", "min-replicas-to-write", "1")
        await asyncio.sleep(rng.uniform(0.2, 1.5))
        await self._ask("CONFIG", "SET", "min-replicas-to-write", "0")

    # Losses

    async def flush_all(self, rng):
        await self._ask("FLUSHALL")

    async def restart_empty(self, rng):
        await self.cluster.kill_redis()
        shutil.rmtree(f"{self.cluster.folder}/appendonlydir", ignore_errors=True)
        await self.cluster.start_redis()

    async def roll_back(self, rng):
        """Redis comes back as it was a moment ago: what it acknowledged since is gone."""
        folder = self.cluster.folder
        shutil.copytree(f"{folder}/appendonlydir", f"{folder}/earlier")
        await asyncio.sleep(rng.uniform(0.05, 0.8))
        await self.cluster.kill_redis()
        shutil.rmtree(f"{folder}/appendonlydir", ignore_errors=True)
        os.rename(f"{folder}/earlier", f"{folder}/appendonlydir")
        await self.cluster.start_redis()
