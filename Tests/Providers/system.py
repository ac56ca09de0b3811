"""The product between students and scripted providers, and what must hold whatever a test does with it."""

import asyncio
import contextlib
import os
import secrets
import time
import unittest

from behaviours import answer
from cluster import Cluster
from http_client import fetch
from provider_server import ProviderServer

SETTINGS = {
    # Nothing listens there: PostgreSQL is never on the way of a token.
    "DATABASE_URL": "postgres://127.0.0.1:9/lemma",
    "AI_FIRST_TOKEN_TIMEOUT": "20s",
    "AI_IDLE_TIMEOUT": "20s",
    "AI_TOTAL_TIMEOUT": "40s",
    "AI_MAX_RETRIES": "0",
    "AI_BREAKER_FAILURES": "1000",
    "JOB_MAX_ATTEMPTS": "1",
    "JOB_LEASE": "5s",
    "MOCK_TOKEN_DELAY": "0ms",
    "LOG_LEVEL": "debug",
}
# For tests in which a provider is silent.
IMPATIENT = {"AI_FIRST_TOKEN_TIMEOUT": "3s", "AI_IDLE_TIMEOUT": "3s"}


class System:
    """One API and one worker replica, an OpenAI-style and a Gemini-style provider."""

    def __init__(self, providers, settings, workers):
        self.keys = {name: f"key-{name}-{secrets.token_hex(8)}" for name in ("openai", "gemini")}
        self.openai = ProviderServer(answer())
        self.gemini = ProviderServer(answer())
        self.settings = dict(SETTINGS, AI_PROVIDERS=providers, **settings)
        self.workers = workers
        self.cluster = None
        self.told = []

    @property
    def api(self):
        return self.cluster.apis[0]

    @property
    def worker(self):
        return self.cluster.workers[0]

    @property
    def providers(self):
        return (self.openai, self.gemini)

    async def start(self):
        for name, server in (("openai", self.openai), ("gemini", self.gemini)):
            await server.start()
            prefix = name.upper()
            version = "/v1" if name == "openai" else "/v1beta"
            self.settings.setdefault(f"{prefix}_BASE_URL", f"http://127.0.0.1:{server.port}{version}")
            self.settings.setdefault(f"{prefix}_API_KEY", self.keys[name])
            self.settings.setdefault(f"{prefix}_MODEL", f"{name}-model")
        self.cluster = Cluster(apis=1, workers=self.workers, settings=self.settings, has_ways=False)
        await self.cluster.__aenter__()

    async def metrics(self, replica=None):
        """{series with its labels: value} of the worker, or of another replica."""
        replica = replica or self.worker
        response = await _text(replica.ops_port, "/metrics")
        self.told.append(response)
        rows = [line.rsplit(" ", 1) for line in response.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in rows}

    async def breakers(self, replica=None):
        """State of each provider's breaker, as the worker's readiness tells it."""
        _, _, body = await fetch((replica or self.worker).ops_port, "GET", "/readyz")
        self.told.append(str(body))
        return body["checks"]["providers"]

    def leaks(self):
        """Where one of the keys shows that must show nowhere."""
        places = [("answers", text.encode()) for text in self.told]
        for replica in filter(lambda one: one.is_running, self.cluster.replicas):
            with open(f"/proc/{replica.process.pid}/cmdline", "rb") as file:
                places.append((f"command line of {replica.name}", file.read()))
        for folder, _, names in os.walk(self.cluster.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    places.append((name, file.read()))
        return [name for name, content in places if any(key.encode() in content for key in self.keys.values())]

    async def end_workers(self):
        """Kills the workers; afterwards no provider may have a connection."""
        for worker in self.cluster.workers:
            await worker.kill()
        return await eventually(lambda: not any(server.open_connections for server in self.providers), 5)


class ProviderCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        # On in every test otherwise, and slow: this process is also the provider whose times are measured.
        asyncio.get_running_loop().set_debug(False)


@contextlib.asynccontextmanager
async def system(case, providers="openai", workers=1, **settings):
    """Starts all; at the end checks that no key showed anywhere and that no connection is left at a provider."""
    found = System(providers, settings, workers)
    try:
        await found.start()
        yield found
        for replica in filter(lambda one: one.is_running, found.cluster.replicas):
            await found.metrics(replica)
            await found.breakers(replica)
        case.assertEqual(found.leaks(), [])
        for server in found.providers:
            case.assertEqual(server.mistakes, [])
        case.assertTrue(await found.end_workers(), "a connection to a provider outlives the worker")
    finally:
        if found.cluster:
            found.cluster.stop()
        for server in found.providers:
            server.close()


async def eventually(condition, limit=10):
    """Polls; whether it came true within `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


async def _text(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    data = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return data.partition(b"\r\n\r\n")[2].decode()
