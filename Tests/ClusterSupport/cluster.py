"""The product as it runs in production, on this machine: a Redis of its own, API and worker replicas."""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from database import SERVER
from proxy import Proxy
from redis_link import RedisLink, ask

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

SETTINGS = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "JWT_SECRET": "a secret that only this test knows and nobody else",
    "AUTH_REQUIRED": "false",
    "RATE_LIMIT_SOLVE": "off",
    "USER_MAX_ACTIVE": "off",
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
    "JOB_LEASE": "1s",
    "JOB_MAX_ATTEMPTS": "3",
    "DRAIN_GRACE": "400ms",
    "SSE_HEARTBEAT": "500ms",
    "STREAM_TTL_LIVE": "120s",
    "STREAM_TTL_DONE": "90s",
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


def free_port():
    """A port below the range that the system gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Replica:
    """One API or worker process at a time, always on the same port and behind the same proxy to Redis."""

    def __init__(self, cluster, role, index):
        self.cluster = cluster
        self.role = role
        self.name = f"{role}-{index}"
        self.port = free_port() if role == "api" else 0
        self.proxy = None
        self.process = None
        self.ops_port = 0
        self.generation = 0
        self.descriptors = 0
        self.resident = 0

    @property
    def log_path(self):
        return f"{self.cluster.folder}/{self.name}.{self.generation}.log"

    def spawn(self):
        self.generation += 1
        settings = dict(SETTINGS, **self.cluster.settings)
        redis_port = self.proxy.port if self.proxy else self.cluster.redis_port
        settings["REDIS_URL"] = f"redis://127.0.0.1:{redis_port}"
        settings["DATABASE_URL"] = SERVER.url(self.cluster.database)
        settings["HTTP_PORT"] = str(self.port)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program(), self.role],
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

    async def ready(self, limit=20):
        """Waits for the line that says that all is started."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            with open(self.log_path, encoding="utf-8") as log:
                lines = log.read().split("\n")[:-1]
            for line in lines:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if entry.get("message") == "operations port open":
                    self.ops_port = entry["port"]
                if entry.get("message") == "all services started":
                    return
            if not self.is_running:
                raise ClusterFailure(f"{self.name} ended with {self.process.returncode}: {lines[-3:]}")
            await asyncio.sleep(0.02)
        raise ClusterFailure(f"{self.name} is not ready after {limit} s")

    def measure(self):
        """Open descriptors and resident KiB."""
        pid = self.process.pid
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        return descriptors, resident


class Cluster:
    """`async with Cluster(…)`; leaves no process and, unless `keep()` was called, no file behind."""

    def __init__(self, apis=2, workers=2, settings=None, script="", has_proxies=True):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="lemma-cluster-", dir=base)
        self.settings = dict(settings or {})
        self.script = script
        self.has_proxies = has_proxies
        self.redis_port = free_port()
        self.redis = None
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
        try:
            if self.script:
                path = f"{self.folder}/script"
                with open(path, "w", encoding="utf-8") as file:
                    file.write(self.script)
                self.settings["MOCK_SCRIPT"] = path
            await self.start_redis()
            self.database = await SERVER.create(free_port(), program(), SETTINGS)
            for replica in self.replicas:
                if self.has_proxies:
                    replica.proxy = await Proxy(self.redis_port).start()
                replica.spawn()
            for replica in self.replicas:
                await replica.ready()
            return self
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
        for replica in self.replicas:
            if replica.proxy:
                replica.proxy.close()
        if self.database:
            SERVER.drop(self.database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, destination):
        """Copies logs and what Redis wrote to `destination`."""
        shutil.copytree(self.folder, destination, dirs_exist_ok=True)

    async def start_redis(self):
        with open(f"{self.folder}/redis.log", "ab") as log:
            self.redis = subprocess.Popen(
                ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", self.folder]
                + ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--enable-debug-command", "no"],
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
