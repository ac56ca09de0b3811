"""Retries, fall-back, circuit breaker, hedging and limits: no provider that is down or slow makes a student wait."""

import asyncio
import os
import time
import unittest
from email.utils import formatdate

import behaviours as do
from behaviours import ANSWER
from quantiles import rank, summary
from student import abort, ask
from system import IMPATIENT, ProviderCase, eventually, system

TOO_LONG = {"error": {"code": 400, "message": "the prompt is too long"}}


class Retries(ProviderCase):
    async def test_the_number_of_tries_is_as_configured(self):
        for retries in (0, 1, 3):
            async with system(self, AI_MAX_RETRIES=str(retries)) as run:
                run.openai.otherwise = do.status(500)
                transcript = await ask(run.api, "2 + 2")
                self.assertEqual(transcript.end["event"], "failed")
                self.assertEqual(len(run.openai.requests), 1 + retries)

    async def test_a_retry_that_succeeds_is_not_seen(self):
        async with system(self, AI_MAX_RETRIES="2") as run:
            run.openai.script["2"] = [do.status(503), do.closed(0, properly=False), do.answer()]
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.answer, ANSWER)
            self.assertEqual(transcript.named("restarted"), [])
            self.assertEqual(transcript.end["attempts"], 1)

    async def test_retry_after_is_honoured_in_seconds_and_as_a_date(self):
        async with system(self, AI_MAX_RETRIES="1") as run:
            # One after the other: a pause holds for every request.
            for word in ("[seconds]", "[date]"):
                later = formatdate(time.time() + 3, usegmt=True)
                value = "2" if word == "[seconds]" else later
                run.openai.script[word] = [do.status(429, {"Retry-After": value}), do.answer()]
                await ask(run.api, f"2 + 2 {word}")
                first, second = run.openai.about(word)
                with self.subTest(word):
                    self.assertGreaterEqual(second.at - first.at, 2 - 0.01)
                    self.assertLess(second.at - first.at, 2 + 5)

    async def test_a_pause_holds_for_every_request(self):
        async with system(self, AI_MAX_RETRIES="1") as run:
            run.openai.script["[first]"] = [do.status(429, {"Retry-After": "2"}), do.answer()]
            first = asyncio.create_task(ask(run.api, "2 + 2 [first]"))
            self.assertTrue(await eventually(lambda: run.openai.about("[first]")))
            (refused,) = run.openai.about("[first]")
            await asyncio.sleep(0.2)
            self.assertEqual((await ask(run.api, "2 + 2 [second]")).answer, ANSWER)
            self.assertEqual((await first).answer, ANSWER)
            (second,) = run.openai.about("[second]")
            self.assertGreaterEqual(second.at - refused.at, 2 - 0.01)

    async def test_a_long_retry_after_does_not_make_the_student_wait_while_another_provider_can_answer(self):
        async with system(self, "openai,gemini", AI_MAX_RETRIES="2") as run:
            run.openai.otherwise = do.status(429, {"Retry-After": "3600"})
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.end["provider"], "gemini")
            self.assertLess(transcript.first_token_after, 5)


class FallBack(ProviderCase):
    faults = {
        "[500]": do.status(500),
        "[429]": do.status(429),
        "[401]": do.status(401),
        "[403]": do.status(403),
        "[404]": do.status(404),
        "[hang]": do.hang(),
        "[silent]": do.hang_after_head(),
        "[gone]": do.closed(0, properly=False),
        "[error]": do.error_in_stream(),
        "[garbage]": do.garbage(b"data: {nonsense\n\n"),
    }

    async def test_what_one_provider_cannot_answer_the_next_does(self):
        for chain, first, second in (("openai,gemini", "openai", "gemini"), ("gemini,openai", "gemini", "openai")):
            async with system(self, chain, **IMPATIENT) as run:
                getattr(run, first).script = self.faults
                found = await asyncio.gather(*(ask(run.api, f"2 + 2 {word}") for word in self.faults))
                for word, transcript in zip(self.faults, found):
                    with self.subTest(word, first=first):
                        self.assertEqual(transcript.answer, ANSWER)
                        self.assertEqual(transcript.end["provider"], second)
                        self.assertEqual(transcript.end["model"], f"{second}-model")
                        self.assertEqual(transcript.named("restarted"), [])
                        self.assertEqual(len(getattr(run, first).about(word)), 1)

    async def test_a_refused_connection_falls_back_too(self):
        async with system(self, "openai,gemini", OPENAI_BASE_URL="http://127.0.0.1:1/v1") as run:
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "gemini"))

    async def test_a_request_that_is_wrong_for_one_is_given_to_no_other(self):
        async with system(self, "openai,gemini", AI_MAX_RETRIES="2", JOB_MAX_ATTEMPTS="3") as run:
            run.openai.otherwise = do.status(400, body=TOO_LONG)
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.end["event"], "failed")
            self.assertEqual(len(run.openai.requests), 1)
            self.assertEqual(run.gemini.requests, [])

    async def test_the_provider_that_was_asked_for_answers_and_an_unknown_one_is_refused_with_the_names(self):
        async with system(self, "openai,gemini") as run:
            chosen = await ask(run.api, "2 + 2", provider="gemini")
            self.assertEqual((chosen.answer, chosen.end["provider"]), (ANSWER, "gemini"))
            self.assertEqual(run.openai.requests, [])
            refused = await ask(run.api, "2 + 2", provider="nobody")
            self.assertEqual(refused.status, 422)
            message = str(refused.problem["errors"])
            self.assertIn("openai", message)
            self.assertIn("gemini", message)


class Local(ProviderCase):
    """The solver of this machine, with both of its places taken by problems that it cannot solve in time."""

    hard = "factor (2^127-1)*(2^89-1)*(2^107-1)*(2^61-1)"
    settings = {"EVENT_LOOPS": "1", "JOB_MAX_ATTEMPTS": "1", "AI_FIRST_TOKEN_TIMEOUT": "30s"}

    async def busy(self, run, count, **options):
        """Hard problems, two of them under way."""
        hard = [asyncio.create_task(ask(run.api, f"{self.hard}*{3 + n}", **options)) for n in range(count)]
        self.addCleanup(lambda: [one.cancel() for one in hard])
        self.assertTrue(await eventually(lambda: calculators(run.worker.process.pid) == 2))
        return hard

    async def test_while_it_is_busy_the_next_provider_answers(self):
        async with system(self, "local,mock", **self.settings) as run:
            await self.busy(run, 2, provider="local")
            transcript = await ask(run.api, "1 + 1")
            self.assertEqual((transcript.end["event"], transcript.end["provider"]), ("completed", "mock"))
            self.assertLess(transcript.first_token_after, 6)

    async def test_alone_it_is_waited_for_and_busy_is_never_an_answer(self):
        async with system(self, "local", **{**self.settings, "AI_FIRST_TOKEN_TIMEOUT": "4s"}) as run:
            hard = await self.busy(run, 6)
            found = await asyncio.gather(*(ask(run.api, f"1 + {number}") for number in range(6)))
            for number, transcript in enumerate(found):
                self.assertEqual(transcript.end["event"], "completed", transcript.end)
                self.assertIn(f"**Answer:** \\({1 + number}\\)", transcript.answer)
                self.assertEqual({one.data["reason"] for one in transcript.named("restarted")} - {"handed_over"}, set())
            for one in hard:
                self.assertIn("more time or memory", (await one).answer)


def calculators(pid):
    """How many processes of the solver a worker has."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            count += len(file.read().split())
    return count


class Breaker(ProviderCase):
    async def asks(self, run, count):
        return [await ask(run.api, "2 + 2") for _ in range(count)]

    async def check(self, run, state, number):
        """The first provider's breaker as readiness and metrics tell it; the second's stays closed."""
        self.assertEqual(await run.breakers(), {"openai": state, "gemini": "closed"})
        metrics = await run.metrics()
        self.assertEqual(metrics['lemma_provider_breaker_state{provider="openai"}'], number)
        self.assertEqual(metrics['lemma_provider_breaker_state{provider="gemini"}'], 0)

    async def test_it_opens_after_failures_in_a_row_lets_one_call_probe_and_closes(self):
        async with system(self, "openai,gemini", AI_BREAKER_FAILURES="3", AI_BREAKER_OPEN="3s") as run:
            await self.check(run, "closed", 0)
            run.openai.otherwise = do.status(500)
            for transcript in await self.asks(run, 5):
                self.assertEqual(transcript.end["provider"], "gemini")
            opened_at = run.openai.requests[-1].at
            self.assertEqual(len(run.openai.requests), 3, "an open breaker lets no call through")
            await self.check(run, "open", 2)

            release = asyncio.Event()

            async def slow(exchange):
                await release.wait()
                await do.answer()(exchange)

            run.openai.otherwise = slow
            await asyncio.sleep(max(0, opened_at + 3.1 - time.monotonic()))
            probe = asyncio.create_task(ask(run.api, "2 + 2"))
            self.assertTrue(await eventually(lambda: len(run.openai.requests) == 4))
            await self.check(run, "half_open", 1)
            (other,) = await self.asks(run, 1)
            self.assertEqual(other.end["provider"], "gemini", "a half-open breaker lets one call through")
            release.set()
            self.assertEqual((await probe).end["provider"], "openai")
            await self.check(run, "closed", 0)
            (last,) = await self.asks(run, 1)
            self.assertEqual(last.end["provider"], "openai")

    async def test_a_probe_that_fails_opens_it_again(self):
        async with system(self, "openai,gemini", AI_BREAKER_FAILURES="2", AI_BREAKER_OPEN="2s") as run:
            run.openai.otherwise = do.status(500)
            await self.asks(run, 2)
            await asyncio.sleep(2.1)
            await self.asks(run, 3)
            self.assertEqual(len(run.openai.requests), 3)
            self.assertEqual((await run.breakers())["openai"], "open")

    async def test_requests_that_are_wrong_do_not_open_it(self):
        async with system(self, AI_BREAKER_FAILURES="2") as run:
            run.openai.otherwise = do.status(400, body=TOO_LONG)
            await self.asks(run, 4)
            self.assertEqual(len(run.openai.requests), 4)
            self.assertEqual(await run.breakers(), {"openai": "closed"})


class Hedging(ProviderCase):
    async def test_with_the_first_hanging_the_second_answers_after_the_delay_and_its_own_time(self):
        own = 0.2
        for first in (do.hang(), do.hang_after_head()):
            async with system(self, "openai,gemini", AI_HEDGE_AFTER="300ms") as run:
                run.openai.otherwise = first
                # Longer than the loser's socket may stay open.
                run.gemini.otherwise = do.answer(first=own, pause=0.08)
                late, cut = [], []
                for number in range(8):
                    transcript = await ask(run.api, f"2 + 2 [{number}]")
                    self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "gemini"))
                    self.assertEqual(transcript.named("restarted"), [])
                    token = transcript.named("token")[0].at
                    late.append(token - transcript.asked_at - 0.3 - own)
                    (loser,) = run.openai.about(f"[{number}]")
                    self.assertTrue(await eventually(lambda: loser.cut_at is not None), "the loser's socket stays open")
                    self.assertTrue(loser.connection.closed_by_peer)
                    cut.append(loser.cut_at - token)
                print(f"hedging: first token {summary([1000 * one for one in late])} after its bound")
                self.assertLess(rank(late, 0.5), 0.100)
                self.assertLess(rank(cut, 0.9), 0.250)

    async def test_a_first_provider_in_time_is_the_only_one_asked(self):
        async with system(self, "openai,gemini", AI_HEDGE_AFTER="3s") as run:
            run.openai.otherwise = do.answer(first=0.1)
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.end["provider"], "openai")
            self.assertEqual(run.gemini.requests, [])

    async def test_a_late_first_provider_still_wins_when_it_is_the_first_to_answer(self):
        async with system(self, "openai,gemini", AI_HEDGE_AFTER="200ms") as run:
            run.openai.otherwise = do.answer(first=0.6)
            run.gemini.otherwise = do.hang()
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "openai"))
            (loser,) = run.gemini.requests
            self.assertTrue(await eventually(lambda: loser.cut_at is not None))

    async def test_an_abort_closes_the_sockets_of_both(self):
        async with system(self, "openai,gemini", AI_HEDGE_AFTER="100ms") as run:
            run.openai.otherwise = run.gemini.otherwise = do.hang()
            seen = []
            student = asyncio.create_task(ask(run.api, "2 + 2", on_event=seen.append))
            self.assertTrue(await eventually(lambda: seen and run.openai.requests and run.gemini.requests))
            since = time.monotonic()
            await abort(run.api, seen[0].data["correlationId"])
            self.assertEqual((await student).end["event"], "cancelled")
            both = [run.openai.requests[0], run.gemini.requests[0]]
            self.assertTrue(await eventually(lambda: all(one.cut_at for one in both)))
            self.assertLess(max(one.cut_at for one in both) - since, 0.500)


class Limits(ProviderCase):
    async def test_a_provider_that_hangs_takes_no_more_calls_than_its_limit_and_stops_no_other(self):
        async with system(self, "openai,gemini", AI_MAX_CONCURRENCY="8", AI_FIRST_TOKEN_TIMEOUT="3s") as run:
            run.openai.otherwise = do.hang()
            stuck = [asyncio.create_task(ask(run.api, f"2 + 2 [stuck {number}]")) for number in range(12)]
            self.assertTrue(await eventually(lambda: len(run.openai.open_connections) == 8))
            others = await asyncio.gather(*(ask(run.api, "2 + 2", provider="gemini") for _ in range(4)))
            for transcript in others:
                self.assertEqual(transcript.answer, ANSWER)
                self.assertLess(transcript.first_token_after, 2)
            self.assertEqual(len(run.openai.open_connections), 8)
            for transcript in await asyncio.gather(*stuck):
                self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "gemini"))
            self.assertEqual(len(run.openai.requests), 8)

    async def test_more_requests_than_a_healthy_provider_takes_at_once_wait_for_their_turn(self):
        async with system(self, AI_MAX_CONCURRENCY="2") as run:
            run.openai.otherwise = do.answer(first=0.5)
            found = await asyncio.gather(*(ask(run.api, f"2 + 2 [{number}]") for number in range(16)))
            self.assertEqual([one.answer for one in found], [ANSWER] * 16)
            self.assertEqual(len(run.openai.requests), 16)


if __name__ == "__main__":
    unittest.main()
