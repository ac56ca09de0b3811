"""One PostgreSQL for all clusters of this process, with a database for each of them."""

import asyncio
import atexit
import glob
import json
import os
import shutil
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class DatabaseServer:
    """Started by the first who needs it, ended with this process."""

    def __init__(self):
        self.lock = None
        self.process = None
        self.port = 0
        self.count = 0

    def url(self, name, address="127.0.0.1"):
        return f"postgres://lemma@{address}:{self.port}/{name}"

    async def create(self, port, program, settings):
        """A new database with this release's schema; gives its name."""
        self.lock = self.lock or asyncio.Lock()
        async with self.lock:
            if self.process is None:
                await self._start(port)
        self.count += 1
        name = f"cluster_{self.count}"
        await self._sql(f"CREATE DATABASE {name}")
        environment = dict(settings, DATABASE_URL=self.url(name))
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        migration = await asyncio.create_subprocess_exec(program, "migrate", env=environment, cwd="/", **quiet)
        if await migration.wait() != 0:
            raise RuntimeError("lemma migrate failed")
        return name

    async def archive(self, name):
        """{id: [status, answer]} of all requests in a database; the answer of one that is not over is None."""
        rows = "SELECT r.id, r.status, a.content FROM math_requests r LEFT JOIN ai_responses a ON a.request_id = r.id"
        sql = f"SELECT coalesce(json_object_agg(id, json_build_array(status, content)), '{{}}') FROM ({rows}) AS x"
        pipe = asyncio.subprocess.PIPE
        words = [self._psql(), "-X", "-q", "-A", "-t", "-c", sql, self.url(name)]
        process = await asyncio.create_subprocess_exec(*words, stdin=subprocess.DEVNULL, stdout=pipe)
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"the archive cannot be read: psql ended with {process.returncode}")
        return json.loads(output)

    def drop(self, name):
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)").wait()

    async def _sql(self, text):
        process = self._run(text)
        while process.poll() is None:
            await asyncio.sleep(0.01)
        if process.returncode != 0:
            raise RuntimeError(f"{text}: psql ended with {process.returncode}")

    def _run(self, text):
        words = [self._psql(), "-X", "-q", "-c", text, self.url("postgres")]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _psql(self):
        return max(glob.glob("/usr/lib/postgresql/*/bin/psql"))

    async def _start(self, port):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        folder = tempfile.mkdtemp(prefix="lemma-cluster-postgres-", dir=base)
        self.port = port
        with open(f"{folder}/postgres.log", "wb") as log:
            words = [f"{ROOT}/scripts/throwaway-postgres", folder, str(port), "listen_addresses=*"]
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(self._end, folder)
        deadline = time.monotonic() + 60
        while True:
            probe = self._run("SELECT 1")
            while probe.poll() is None:
                await asyncio.sleep(0.01)
            if probe.returncode == 0:
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(f"{folder}/postgres.log", encoding="utf-8") as log:
                    raise RuntimeError(f"postgres does not start: {log.read()[-500:]}")
            await asyncio.sleep(0.05)

    def _end(self, folder):
        self.process.send_signal(2)
        self.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


SERVER = DatabaseServer()
