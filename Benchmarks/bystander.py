"""The well-behaved students of the benchmarks with hostile clients, and the memory of the servers meanwhile.

Needs Tests/ClusterSupport in the module path.
"""

import asyncio
import time

from http_client import Closed, send
from quantiles import rank


class Bystander:
    """Students who each solve one problem and read its stream, at a steady pace."""

    def __init__(self, port, rate):
        self.port = port
        self.rate = rate
        self.times = []
        self.failures = 0
        self.number = 0

    async def run(self, seconds):
        """The times to the first token in milliseconds of those who came in so many seconds, and how many failed."""
        self.times, self.failures = [], 0
        students, end, due = set(), time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            self.number += 1
            student = asyncio.ensure_future(self.solve(f"127.0.1.{1 + self.number % 250}"))
            students.add(student)
            student.add_done_callback(students.discard)
            due += 1 / self.rate
            await asyncio.sleep(max(0, due - time.monotonic()))
        if students:
            await asyncio.wait(students, timeout=30)
        self.failures += len(students)
        for student in students:
            student.cancel()
        return self.times, self.failures

    async def solve(self, address):
        asked = time.monotonic()
        try:
            headers = {"Accept": "text/event-stream"}
            body = {"problem": "what is 2x + 3 = 7"}
            answer = await send(self.port, "POST", "/api/math/solve", headers, body, timeout=30, source=address)
            try:
                first, last = None, None
                async for _, name, _ in answer.events(silence=30):
                    if name == "token" and first is None:
                        first = time.monotonic()
                    last = name
            finally:
                answer.close()
            if first is None or last != "completed":
                raise Closed
            self.times.append((first - asked) * 1000)
        except (Closed, OSError, asyncio.TimeoutError):
            self.failures += 1


class Memory:
    """Samples of each process's memory in bytes, one a second."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.samples = {"api": [], "worker": [], "redis": []}

    async def run(self):
        while True:
            self.samples["api"].append(self.cluster.apis[0].measure()[1] * 1024)
            self.samples["worker"].append(self.cluster.workers[0].measure()[1] * 1024)
            text = await self.cluster.ask_redis("INFO", "memory")
            self.samples["redis"].append(int(text.split("used_memory:")[1].split()[0]))
            await asyncio.sleep(1)

    def growth(self):
        """{process: (bytes before, bytes after)}: medians of the first and last tenth."""
        found = {}
        for name, values in self.samples.items():
            tenth = max(1, len(values) // 10)
            found[name] = rank(values[:tenth], 0.5), rank(values[-tenth:], 0.5)
        return found
