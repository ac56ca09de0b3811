"""The product as it runs in production, on this machine: a Redis of its own, API and worker replicas."""

import asyncio
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from clock import Clock
from database import SERVER
from http_client import fetch
from network import Way
from redis_link import RedisLink, ask

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

SETTINGS = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "JWT_SECRET": "a secret that only this test knows and nobody else",
    "AUTH_REQUIRED": "false",
    "RATE_LIMIT_SOLVE": "off",
    "RATE_LIMIT_AUTH": "off",
    "USER_MAX_ACTIVE": "off",
    "ADDRESS_MAX_CONNECTIONS": "off",
    "AI_PROVIDERS": "mock",
    "MOCK_TOKEN_DELAY": "12ms",
    "HTTP_HOST": "127.0.0.1",
    "OPS_HOST": "127.0.0.1",
    "OPS_PORT": "0",
    "EVENT_LOOPS": "1",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "info",
    "AI_FIRST_TOKEN_TIMEOUT": "2500ms",
    "AI_IDLE_TIMEOUT": "2500ms",
    # Tickets live as long as all attempts of a request can take: long enough for a clock that is an hour off.
    "AI_TOTAL_TIMEOUT": "30m",
    "JOB_LEASE": "1s",
    "JOB_MAX_ATTEMPTS": "3",
    "DRAIN_GRACE": "400ms",
    "SSE_HEARTBEAT": "500ms",
    "STREAM_TTL_LIVE": "330s",
    "STREAM_TTL_DONE": "300s",
}


class ClusterFailure(Exception):
    """The suite itself cannot go on: something does not start or does not stop."""


def program():
    """The built program: $LEMMA, else the release build, else the debug build."""
    places = [os.environ.get("LEMMA"), f"{ROOT}/.build/release/lemma", f"{ROOT}/.build/debug/lemma"]
    for place in places:
        if place and os.access(place, os.X_OK):
            return os.path.abspath(place)
    raise ClusterFailure("lemma is not built: make release")


# Ends a process with the one that started it, however that ends.
TIED = ["setpriv", "--pdeathsig", "KILL"]


# Ports that were given away: also those of a replica that does not run for the moment.
taken_ports = set()


def free_port():
    """A port below the range that the system gives to outgoing connections; no other of this process gets it."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        if port in taken_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                taken_ports.add(port)
                return port
            except OSError:
                continue


def raise_descriptor_limit():
    """Lets this process and its children open as much as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 65536, hard))


class Replica:
    """One API or worker process at a time, always on the same ports and with the same way to Redis.

    `binary` is another program than the cluster's own, `settings` what differs from the cluster's.
    """

    def __init__(self, cluster, role, index, binary=None, settings=None):
        self.cluster = cluster
        self.role = role
        self.name = f"{role}-{index}"
        self.binary = binary
        self.settings = dict(settings or {})
        self.port = free_port() if role == "api" else 0
        self.ops_port = free_port()
        self.way = None
        self.database_way = None
        self.clock = None
        # Where the log goes instead of a file, which then cannot be read.
        self.log_device = None
        self.process = None
        self.generation = 0

    @property
    def log_path(self):
        return f"{self.cluster.folder}/{self.name}.{self.generation}.log"

    def spawn(self):
        self.generation += 1
        settings = dict(SETTINGS, **self.cluster.settings) | self.settings
        address = self.way.address if self.way else "127.0.0.1"
        settings["REDIS_URL"] = f"redis://{address}:{self.cluster.redis_port}"
        address = self.database_way.address if self.database_way else "127.0.0.1"
        settings.setdefault("DATABASE_URL", SERVER.url(self.cluster.database, address))
        settings["HTTP_PORT"] = str(self.port)
        settings["OPS_PORT"] = str(self.ops_port)
        if self.clock:
            settings.update(self.clock.environment)
        with open(self.log_device or self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*TIED, self.binary or program(), self.role],
                env=settings,
                cwd=self.cluster.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.is_running:
            self.process.send_signal(number)

    async def gone(self, limit):
        deadline = time.monotonic() + limit
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.01)
        return True

    async def kill(self):
        self.signal(signal.SIGKILL)
        if not await self.gone(10):
            raise ClusterFailure(f"{self.name} does not die")

    async def ready(self, limit=60):
        """Waits for the line that says that all is started; without a log, for readiness."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.log_device:
                if (await fetch(self.ops_port, "GET", "/readyz"))[0] == 200:
                    return
                await asyncio.sleep(0.05)
                continue
            with open(self.log_path, encoding="utf-8") as log:
                lines = log.read().split("\n")[:-1]
            if any('"message":"all services started"' in line for line in lines):
                return
            if not self.is_running:
                raise ClusterFailure(f"{self.name} ended with {self.process.returncode}: {lines[-3:]}")
            await asyncio.sleep(0.02)
        raise ClusterFailure(f"{self.name} is not ready after {limit} s")

    def measure(self):
        """Open descriptors, without those to PostgreSQL, which a pool opens when it needs them, and resident KiB."""
        return len(self._descriptors() - self._database_sockets()), self._memory("VmRSS")

    def _descriptors(self):
        """What the descriptors lead to; equal ones are told apart by their number."""
        folder = f"/proc/{self.process.pid}/fd"
        found = set()
        for number in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{number}")
            except OSError:
                continue
            found.add(target if target.startswith("socket:") else number)
        return found

    def _database_sockets(self):
        """As `/proc/<pid>/fd` names them (proc(5), net/tcp)."""
        with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        port = f":{SERVER.port:04X}"
        return {f"socket:[{row[9]}]" for row in rows if row[2].endswith(port)}

    def peak(self):
        """The most KiB that have been resident."""
        return self._memory("VmHWM")

    def _memory(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name))


class Cluster:
    """`async with Cluster(…)`; leaves no process and, unless `keep()` was called, no file behind.

    Within `network.isolate()`, `has_ways` gives each replica ways to Redis and PostgreSQL that can be disturbed. With
    `has_clocks` each replica and Redis have a wall clock that can be set. Without `start` that is left to the caller.
    """

    def __init__(self, apis=2, workers=2, settings=None, script="", has_ways=True, has_clocks=False, start=True):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="lemma-cluster-", dir=base)
        self.settings = dict(settings or {})
        self.script = script
        self.starts = start
        self.has_ways = has_ways
        self.has_clocks = has_clocks
        # Folders within ours that hold file systems of their own.
        self.mounts = []
        self.redis_port = free_port()
        self.redis = None
        self.redis_clock = Clock(self.folder, "redis") if has_clocks else None
        self.database = None
        self.replicas = [Replica(self, "api", i) for i in range(apis)]
        self.replicas += [Replica(self, "worker", i) for i in range(workers)]

    @property
    def apis(self):
        return [one for one in self.replicas if one.role == "api"]

    @property
    def workers(self):
        return [one for one in self.replicas if one.role == "worker"]

    async def __aenter__(self):
        if self.starts:
            await self.start()
        return self

    async def start(self):
        """Starts Redis and all replicas, and waits until they are ready."""
        try:
            if self.script:
                path = f"{self.folder}/script"
                with open(path, "w", encoding="utf-8") as file:
                    file.write(self.script)
                self.settings["MOCK_SCRIPT"] = path
            await self.start_redis()
            if "DATABASE_URL" not in self.settings:
                self.database = await SERVER.create(free_port(), program(), SETTINGS)
            for replica in self.replicas:
                if self.has_ways:
                    replica.way, replica.database_way = Way(), Way()
                if self.has_clocks:
                    replica.clock = Clock(self.folder, replica.name)
                replica.spawn()
            for replica in self.replicas:
                await replica.ready()
        except BaseException:
            self.stop()
            raise

    async def __aexit__(self, *_):
        self.stop()

    def stop(self):
        for process in [one.process for one in self.replicas] + [self.redis]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        taken_ports.discard(self.redis_port)
        for replica in self.replicas:
            taken_ports.difference_update({replica.port, replica.ops_port})
            for way in (replica.way, replica.database_way):
                if way:
                    way.close()
        for folder in self.mounts:
            subprocess.run(["umount", folder], check=False)
        if self.database:
            SERVER.drop(self.database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, destination):
        """Copies logs and what Redis wrote to `destination`."""
        shutil.copytree(self.folder, destination, dirs_exist_ok=True)

    async def start_redis(self):
        with open(f"{self.folder}/redis.log", "ab") as log:
            self.redis = subprocess.Popen(
                [*TIED, "redis-server", "--port", str(self.redis_port), "--dir", self.folder, "--save", ""]
                + ["--bind", "0.0.0.0" if self.has_ways else "127.0.0.1", "--protected-mode", "no"]
                + ["--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "no"],
                env=dict(os.environ, **(self.redis_clock.environment if self.redis_clock else {})),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if await ask(self.redis_port, "PING") == "PONG":
                    return
            except Exception:
                pass
            if self.redis.poll() is not None:
                raise ClusterFailure("redis-server ended")
            await asyncio.sleep(0.02)
        raise ClusterFailure("redis-server does not answer")

    async def kill_redis(self):
        self.redis.kill()
        while self.redis.poll() is None:
            await asyncio.sleep(0.01)

    async def ask_redis(self, *words, timeout=5):
        return await ask(self.redis_port, *words, timeout=timeout)

    async def dump(self):
        """Everything that Redis holds of Lemma, as plain data."""
        link = await RedisLink.open(self.redis_port)
        try:
            found = {"requests": {}, "events": {}, "keys": {}, "queue": {}, "dead": []}
            for key in await link.call("KEYS", "*"):
                ttl = await link.call("PTTL", key)
                if ttl == -2:
                    continue
                found["keys"][key] = ttl
                kind, _, name = key.split(":", 2)[-1].partition(":")
                if kind == "request":
                    flat = await link.call("HGETALL", key)
                    found["requests"][name] = dict(zip(flat[::2], flat[1::2]))
                elif kind == "events":
                    rows = await link.call("XRANGE", key, "-", "+")
                    found["events"][name] = [[i, *(dict(zip(f[::2], f[1::2])).get(n) for n in "ed")] for i, f in rows]
                elif kind in ("jobs", "finished"):
                    groups = await link.call("XINFO", "GROUPS", key)
                    pending = [dict(zip(g[::2], g[1::2])).get("pending", 0) for g in groups]
                    found["queue"][key] = {"length": await link.call("XLEN", key), "pending": sum(pending)}
                elif kind == "dead":
                    rows = await link.call("XRANGE", key, "-", "+")
                    found["dead"] += [dict(zip(fields[::2], fields[1::2])) for _, fields in rows]
                elif kind == "delayed":
                    found["queue"][key] = {"length": await link.call("ZCARD", key), "pending": 0}
            return found
        finally:
            link.close()
