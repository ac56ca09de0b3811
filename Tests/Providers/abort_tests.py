"""Aborting closes the provider's socket at once, in every phase of an answer, seen from the provider's side."""

import asyncio
import time
import unittest

import behaviours as do
from quantiles import rank, summary
from student import abort, ask
from system import ProviderCase, eventually, system

SAMPLES = 120
BOUND = 0.250
# A sample in which this process itself was kept waiting longer than this tells of the machine, not of the product.
STALL = 0.100


class StallWatch:
    """Notes the times at which this process could not run."""

    def __init__(self):
        self.stalls = []
        self._task = asyncio.create_task(self._watch())

    async def _watch(self):
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            if now - last > STALL:
                self.stalls.append((last, now))
            last = now

    def close(self):
        self._task.cancel()

    def saw(self, since, until):
        return any(start < until and end > since for start, end in self.stalls)


class Aborts(ProviderCase):
    async def cut(self, run, server, word, is_reached):
        """When the abort was sent and when the provider's socket ended, once `is_reached` says the phase is there."""
        seen = []
        student = asyncio.create_task(ask(run.api, f"2 + 2 {word}", on_event=seen.append))
        self.assertTrue(await eventually(lambda: server.about(word) and is_reached(seen), 20), "not reached")
        request = server.about(word)[0]
        since = time.monotonic()
        self.assertIn(await abort(run.api, seen[0].data["correlationId"]), (200, 202))
        self.assertEqual((await student).end["event"], "cancelled")
        self.assertTrue(await eventually(lambda: request.cut_at is not None), "the provider's socket stays open")
        self.assertTrue(request.connection.closed_by_peer)
        return since, request.cut_at

    async def sample(self, run, provider, phase, is_reached):
        """Aborts in `phase`, four requests at a time, until there are enough times."""
        server = getattr(run, provider)
        watch = StallWatch()
        times = []
        try:
            for round in range(SAMPLES):
                words = [f"[{phase} {round}-{number}]" for number in range(4)]
                for since, until in await asyncio.gather(*(self.cut(run, server, w, is_reached) for w in words)):
                    if not watch.saw(since, until):
                        times.append(until - since)
                if len(times) >= SAMPLES:
                    break
        finally:
            watch.close()
        self.assertGreaterEqual(len(times), 100, "the machine stood still too often")
        print(f"abort, {provider}, {phase}: {summary([1000 * one for one in times])}")
        self.assertLess(rank(times, 0.99), BOUND)

    async def test_in_every_phase_the_socket_is_closed_within_250_ms(self):
        for provider in ("openai", "gemini"):
            async with system(self, provider, AI_FIRST_TOKEN_TIMEOUT="1m", AI_IDLE_TIMEOUT="1m") as run:
                server = getattr(run, provider)
                server.script = {"[no head": do.hang(), "[silent": do.hang_after_head()}
                server.script["[streaming"] = do.endless(pause=0.01)
                await self.sample(run, provider, "no head", lambda seen: seen)
                await self.sample(run, provider, "silent", lambda seen: seen)
                await self.sample(run, provider, "streaming", lambda seen: any(one.name == "token" for one in seen))
