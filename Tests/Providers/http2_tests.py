"""Over TLS and HTTP/2, as hosted providers are reached: answers, an abort, a certificate."""

import asyncio
import time
import unittest

import behaviours as do
from behaviours import ANSWER
from front import front
from quantiles import rank
from student import abort, ask
from system import ProviderCase, eventually, system


class HTTP2(ProviderCase):
    async def start(self, run):
        """Puts a front before the OpenAI-style provider and starts the worker anew to use it."""
        found = self.enterContext(front(run.openai.port))
        url = f"https://localhost:{found.port}/v1"
        run.cluster.settings.update(OPENAI_BASE_URL=url, SSL_CERT_FILE=found.certificate)
        await run.worker.kill()
        run.worker.spawn()
        await run.worker.ready()
        return found

    async def test_answers_come_over_http2_and_a_connection_serves_one_after_the_other(self):
        async with system(self) as run:
            found = await self.start(run)
            for _ in range(3):
                answers = await asyncio.gather(*(ask(run.api, f"2 + 2 [{number}]") for number in range(20)))
                self.assertEqual({one.answer for one in answers}, {ANSWER})
            served = found.served()
            self.assertEqual({(protocol, status) for protocol, _, status in served}, {("HTTP/2.0", "200")})
            self.assertLess(len({connection for _, connection, _ in served}), 60)

    async def test_an_abort_ends_the_call_at_the_provider_and_no_other(self):
        async with system(self, AI_FIRST_TOKEN_TIMEOUT="1m") as run:
            await self.start(run)
            run.openai.script = {"[silent": do.hang(), "[other]": do.answer(pause=0.3)}
            other = asyncio.create_task(ask(run.api, "2 + 2 [other]"))
            times = []
            for number in range(20):
                seen = []
                word = f"[silent {number}]"
                student = asyncio.create_task(ask(run.api, f"2 + 2 {word}", on_event=seen.append))
                self.assertTrue(await eventually(lambda: seen and run.openai.about(word)))
                since = time.monotonic()
                await abort(run.api, seen[0].data["correlationId"])
                self.assertEqual((await student).end["event"], "cancelled")
                (request,) = run.openai.about(word)
                self.assertTrue(await eventually(lambda: request.cut_at is not None))
                times.append(request.cut_at - since)
            self.assertLess(rank(times, 0.5), 0.250)
            self.assertEqual((await other).answer, ANSWER)

    async def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        async with system(self) as run:
            await self.start(run)
            del run.cluster.settings["SSL_CERT_FILE"]
            await run.worker.kill()
            run.worker.spawn()
            await run.worker.ready()
            self.assertEqual((await ask(run.api, "2 + 2")).end["event"], "failed")
            self.assertEqual(run.openai.requests, [])


if __name__ == "__main__":
    unittest.main()
