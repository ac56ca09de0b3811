"""Each fault of a provider has the one outcome that docs/providers.md tells."""

import asyncio
import socket
import unittest

import behaviours as do
from behaviours import ANSWER, WORDS
from cluster import free_port
from student import ask
from system import IMPATIENT, ProviderCase, eventually, system

# name: (behaviour, what the student ends with, how often the provider is asked); AI_MAX_RETRIES is 1.
# A number of tokens in the name: the fault comes after so many of them.
BEFORE_FIRST_TOKEN = {
    "hang before the head": (do.hang(), "failed", 1),
    "hang after the head": (do.hang_after_head(), "failed", 1),
    "status 500": (do.status(500), "failed", 2),
    "status 502, a page": (do.status(502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>"), "failed", 2),
    "status 503": (do.status(503), "failed", 2),
    "status 429": (do.status(429), "failed", 2),
    "status 408": (do.status(408), "failed", 2),
    "status 409": (do.status(409), "failed", 2),
    "status 425": (do.status(425), "failed", 2),
    "status 400": (do.status(400), "failed", 1),
    "status 401": (do.status(401), "failed", 1),
    "status 402": (do.status(402), "failed", 1),
    "status 403": (do.status(403), "failed", 1),
    "status 404": (do.status(404), "failed", 1),
    "status 413": (do.status(413), "failed", 1),
    # OpenAI's dialect asks once more without what such servers mostly refuse.
    "status 422": (do.status(422), "failed", {"openai": 2, "gemini": 1}),
    "closed without a head": (do.no_http(), "failed", 2),
    "closed without a word": (do.closed(0), "failed", 2),
    "connection gone": (do.closed(0, properly=False), "failed", 2),
    "cut inside a character": (do.cut_inside("character"), "failed", 2),
    "cut inside a value": (do.cut_inside("value"), "failed", 2),
    "cut inside a line": (do.cut_inside("line"), "failed", 2),
    "garbage in JSON's place": (do.garbage(b"data: {nonsense\n\n"), "failed", 2),
    "garbage in the stream's place": (do.garbage(bytes(range(256)) * 40), "failed", 2),
    "a line of 10 MB": (do.long_line(), "failed", 2),
    "a head of 1 MB": (do.long_head(), "failed", 2),
    "an error in a 200": (do.error_in_stream(), "failed", 2),
    "a 429 in a 200": (do.error_in_stream(status=429), "failed", 2),
    "a 401 in a 200": (do.error_in_stream(status=401), "failed", 1),
    "no text": (do.answer(words=[]), "failed", 2),
    "broken compression": (do.compressed(lambda data: data[:20] + bytes(20) + data[40:]), "failed", 2),
    "a page with status 200": (do.page(), "failed", 2),
}
AFTER_TOKENS = {
    "hang": do.hang_after(3),
    "closed": do.closed(3),
    "gone": do.closed(3, properly=False),
    "cut inside a character": do.cut_inside("character", after=3),
    "cut inside a value": do.cut_inside("value", after=3),
    "cut inside a line": do.cut_inside("line", after=3),
    "garbage": do.garbage(b"data: [1, 2\n\n", after=3),
    "an error": do.error_in_stream(after=3),
    "an unknown reason": do.answer(words=WORDS[:3], finish="made_up"),
}
GOOD = {
    "plainly": do.answer(),
    "without usage": do.answer(usage=None),
    "without the last word": do.unfinished(hangs=False),
    "without an end": do.unfinished(hangs=True),
    "in single bytes": do.dribble(),
    "in pieces of seven bytes": do.dribble(7),
    "compressed": do.compressed(),
    "as one document": do.whole_document(),
}
WITHOUT_USAGE = ("without usage", "without the last word", "without an end")
GOOD_IN_OPENAI_ONLY = {
    "with usage beside an empty delta": do.usage_beside_empty_delta(),
    "with the last word alone": do.without_reason(),
}


class Faults(ProviderCase):
    async def answers(self, run, server, script):
        """Asks about each of the script's names at once: {name: transcript}."""
        server.script.update({f"[{name}]": behaviour for name, behaviour in script.items()})
        found = await asyncio.gather(*(ask(run.api, f"Add ½ and ½ [{name}]") for name in script))
        return dict(zip(script, found))

    async def test_before_the_first_token_it_is_tried_again_where_that_can_help(self):
        for provider in ("openai", "gemini"):
            async with system(self, provider, AI_MAX_RETRIES="1", **IMPATIENT) as run:
                server = getattr(run, provider)
                script = {name: behaviour for name, (behaviour, _, _) in BEFORE_FIRST_TOKEN.items()}
                found = await self.answers(run, server, script)
                for name, (_, end, tries) in BEFORE_FIRST_TOKEN.items():
                    tries = tries[provider] if isinstance(tries, dict) else tries
                    with self.subTest(name, provider=provider):
                        self.assertEqual(found[name].end["event"], end)
                        self.assertEqual(found[name].answer, "")
                        self.assertEqual(len(server.about(f"[{name}]")), tries)
                        self.assertEqual(found[name].end["attempts"], 1)

    async def test_after_tokens_the_attempt_ends_and_the_next_begins_anew(self):
        for provider in ("openai", "gemini"):
            async with system(self, provider, AI_MAX_RETRIES="1", JOB_MAX_ATTEMPTS="2", **IMPATIENT) as run:
                server = getattr(run, provider)
                script = {name: [behaviour, do.answer()] for name, behaviour in AFTER_TOKENS.items()}
                found = await self.answers(run, server, script)
                for name, transcript in found.items():
                    with self.subTest(name, provider=provider):
                        self.assertEqual(transcript.end["event"], "completed")
                        self.assertEqual(transcript.answer, ANSWER)
                        (marker,) = transcript.named("restarted")
                        self.assertEqual(marker.data["reason"], "provider_failed")
                        before = transcript.events[: transcript.events.index(marker)]
                        seen = "".join(one.data["text"] for one in before if one.name == "token")
                        self.assertEqual(seen, "".join(WORDS[:3]))
                        self.assertEqual(len(server.about(f"[{name}]")), 2)

    async def test_every_way_of_answering_gives_the_exact_text(self):
        for provider in ("openai", "gemini"):
            async with system(self, provider) as run:
                server = getattr(run, provider)
                good = GOOD if provider == "gemini" else GOOD | GOOD_IN_OPENAI_ONLY
                found = await self.answers(run, server, good)
                for name, transcript in found.items():
                    with self.subTest(name, provider=provider):
                        self.assertEqual(transcript.end["event"], "completed")
                        self.assertEqual(transcript.answer, ANSWER)
                        self.assertEqual(transcript.end["finishReason"], "stop")
                        is_estimate = transcript.end["usage"].get("estimated", False)
                        self.assertEqual(is_estimate, name in WITHOUT_USAGE)
                        if not is_estimate:
                            self.assertEqual(transcript.end["usage"]["inputTokens"], 11)
                            self.assertEqual(transcript.end["usage"]["outputTokens"], 7)

    async def test_a_port_that_refuses_and_one_that_never_answers_fail_in_time(self):
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            # The queue of the listener is full with these: a further connection waits for ever.
            held = [socket.socket() for _ in range(3)]
            for one in held:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            try:
                for port in (free_port(), full.getsockname()[1]):
                    url = f"http://127.0.0.1:{port}/v1"
                    async with system(self, AI_CONNECT_TIMEOUT="1s", OPENAI_BASE_URL=url) as run:
                        transcript = await ask(run.api, "2 + 2")
                        self.assertEqual(transcript.end["event"], "failed")
                        self.assertLess(transcript.events[-1].at - transcript.asked_at, 10)
            finally:
                for one in held:
                    one.close()

    async def test_lines_without_end_do_not_fill_the_memory(self):
        async with system(self) as run:
            await ask(run.api, "2 + 2")
            _, before = run.worker.measure()
            run.openai.otherwise = do.long_line()
            found = await asyncio.gather(*(ask(run.api, f"2 + 2 [{number}]") for number in range(8)))
            self.assertEqual({one.end["event"] for one in found}, {"failed"})
            _, after = run.worker.measure()
            # In KiB: at most 1 MiB of each line is kept, of the 80 MB that were on their way.
            self.assertLess(after - before, 40 * 1024)

    async def test_a_redirect_is_not_followed(self):
        async with system(self) as run:
            other = f"http://127.0.0.1:{run.gemini.port}/v1/chat/completions"
            run.openai.otherwise = do.redirect(other)
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.end["event"], "failed")
            self.assertEqual(run.gemini.connections, [])

    async def test_an_endless_answer_is_cut_when_its_time_or_its_size_is_over(self):
        limits = {"2s": (do.endless(pause=0.01), "failed"), "30s": (do.endless("more " * 200), "completed")}
        for limit, (behaviour, end) in limits.items():
            async with system(self, AI_TOTAL_TIMEOUT=limit) as run:
                run.openai.otherwise = behaviour
                transcript = await ask(run.api, "2 + 2")
                self.assertEqual(transcript.end["event"], end)
                self.assertEqual(transcript.end.get("finishReason"), "length" if end == "completed" else None)
                self.assertTrue(await eventually(lambda: run.openai.connections[0].closed_by_peer))


if __name__ == "__main__":
    unittest.main()
