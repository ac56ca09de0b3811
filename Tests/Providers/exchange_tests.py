"""What a provider is sent, and what becomes of what it answers: prompt, keys, usage, thinking, times."""

import asyncio
import os
import signal
import subprocess
import time
import unittest

import behaviours as do
from behaviours import ANSWER, WORDS
from cluster import SETTINGS as CLUSTER_SETTINGS
from cluster import program
from quantiles import rank
from student import abort, ask, record
from system import ProviderCase, eventually, system


class Requests(ProviderCase):
    async def test_the_prompt_has_the_system_prompt_the_problem_and_the_options(self):
        async with system(self, "openai,gemini") as run:
            options = {"temperature": 0.25, "maxOutputTokens": 77}
            for name, server in (("openai", run.openai), ("gemini", run.gemini)):
                with self.subTest(name):
                    await ask(run.api, "2 + 2 = ½", provider=name, options=options)
                    (request,) = server.requests
                    self.assertEqual(request.method, "POST")
                    self.assertEqual(request.dialect.key(request), run.keys[name])
                    self.assertEqual(request.headers["content-type"], "application/json")
                    self.assertEqual(request.problem, "2 + 2 = ½")
                    system_prompt = request.dialect.system(request.json)
                    for wanted in ("\\(", "\\)", "\\[", "\\]", "step"):
                        self.assertIn(wanted, system_prompt)
            body = run.openai.requests[0].json
            self.assertEqual(run.openai.requests[0].path, "/v1/chat/completions")
            self.assertEqual(body["model"], "openai-model")
            self.assertIs(body["stream"], True)
            self.assertEqual(body["stream_options"], {"include_usage": True})
            self.assertEqual(body["temperature"], 0.25)
            self.assertIn(77, (body.get("max_tokens"), body.get("max_completion_tokens")))
            request = run.gemini.requests[0]
            self.assertEqual(request.path, "/v1beta/models/gemini-model:streamGenerateContent?alt=sse")
            self.assertEqual(request.json["generationConfig"]["temperature"], 0.25)
            self.assertEqual(request.json["generationConfig"]["maxOutputTokens"], 77)

    async def test_without_a_key_no_authorization_is_sent(self):
        async with system(self, OPENAI_API_KEY="") as run:
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.answer, ANSWER)
            self.assertNotIn("authorization", run.openai.requests[0].headers)

    async def test_a_proxy_of_the_environment_is_used(self):
        async with system(self) as run:
            proxy = f"http://127.0.0.1:{run.openai.port}"
            run.cluster.settings.update(OPENAI_BASE_URL="http://provider.invalid/v1", http_proxy=proxy)
            await run.worker.kill()
            run.worker.spawn()
            await run.worker.ready()
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual(transcript.answer, ANSWER)
            self.assertEqual(run.openai.requests[0].path, "http://provider.invalid/v1/chat/completions")


class Secrets(ProviderCase):
    async def test_a_provider_that_says_the_key_back_does_not_make_it_show(self):
        async with system(self, "openai,gemini", LOG_LEVEL="trace") as run:
            for name, server in (("openai", run.openai), ("gemini", run.gemini)):
                key = run.keys[name]
                server.otherwise = do.status(401, {"X-Echo": key}, {"error": {"message": f"Incorrect API key: {key}"}})
                transcript = await ask(run.api, "2 + 2", provider=name)
                self.assertEqual(transcript.end["event"], "failed")
                run.told += [str(transcript), str(await record(run.api, transcript.id))]

    def test_the_configuration_shows_no_key(self):
        keys = {"OPENAI_API_KEY": "key-never-to-be-seen-1", "GEMINI_API_KEY": "key-never-to-be-seen-2"}
        environment = {**CLUSTER_SETTINGS, **keys, "AI_PROVIDERS": "openai,gemini", "REDIS_URL": "redis://127.0.0.1:1"}
        environment |= {"OPENAI_MODEL": "one", "GEMINI_MODEL": "two"}
        done = subprocess.run([program(), "config"], env=environment, capture_output=True, text=True, timeout=20)
        self.assertIn("OPENAI_API_KEY", done.stdout)
        for key in keys.values():
            self.assertNotIn(key, done.stdout + done.stderr)


class Thinking(ProviderCase):
    async def test_reasoning_is_told_apart_from_the_answer_and_counted(self):
        async with system(self, "openai,gemini") as run:
            run.openai.script = {"[one]": do.reasoned("reasoning_content"), "[two]": do.reasoned("reasoning")}
            run.gemini.script = {"[three]": do.reasoned()}
            for word, provider in (("[one]", "openai"), ("[two]", "openai"), ("[three]", "gemini")):
                with self.subTest(word):
                    transcript = await ask(run.api, f"2 + 2 {word}", provider=provider)
                    self.assertEqual(transcript.reasoning, "Halves first.")
                    self.assertEqual(transcript.answer, ANSWER)
                    usage = {"inputTokens": 11, "outputTokens": 9, "reasoningTokens": 2}
                    self.assertEqual(transcript.end["usage"], usage)
                    self.assertEqual((await record(run.api, transcript.id))["answer"], ANSWER)


def used(kind, metrics):
    """Tokens of one kind that the worker has counted so far, over all providers."""
    sums = [name for name in metrics if name.startswith("lemma_gen_ai_client_token_usage_tokens_sum")]
    return sum(metrics[name] for name in sums if f'gen_ai_token_type="{kind}"' in name)


class Usage(ProviderCase):
    async def test_it_is_on_the_end_in_the_record_and_in_the_metrics(self):
        async with system(self) as run:
            before = await run.metrics()
            transcript = await ask(run.api, "2 + 2")
            usage = {"inputTokens": 11, "outputTokens": 7}
            self.assertEqual(transcript.end["usage"], usage)
            self.assertEqual((await record(run.api, transcript.id))["usage"], usage)
            after = await run.metrics()
            self.assertEqual(used("input", after) - used("input", before), 11)
            self.assertEqual(used("output", after) - used("output", before), 7)

    async def test_the_reason_of_the_end_is_told(self):
        async with system(self, "openai,gemini") as run:
            for provider, server in (("openai", run.openai), ("gemini", run.gemini)):
                for reason in ("stop", "length", "content_filter"):
                    server.otherwise = do.answer(finish=reason)
                    transcript = await ask(run.api, "2 + 2", provider=provider)
                    self.assertEqual(transcript.end.get("finishReason"), reason, provider)

    async def test_a_problem_that_gemini_blocks_ends_as_filtered(self):
        async with system(self, "gemini") as run:
            run.gemini.otherwise = do.status(200, {}, {"promptFeedback": {"blockReason": "SAFETY"}})
            self.assertEqual((await ask(run.api, "2 + 2")).end.get("finishReason"), "content_filter")

    async def test_a_broken_attempt_counts_what_it_had_estimated(self):
        async with system(self) as run:
            run.openai.otherwise = do.closed(4)
            end = (await ask(run.api, "2 + 2")).end
            self.assertEqual(end["event"], "failed")
            self.assertGreater(end["usage"]["outputTokens"], 0)
            self.assertIs(end["usage"]["estimated"], True)

    async def test_the_version_of_the_prompt_is_recorded(self):
        async with system(self) as run:
            transcript = await ask(run.api, "2 + 2")
            stored = (await run.cluster.dump())["requests"][transcript.id]
            self.assertRegex(stored["promptVersion"], r"^math-\d+$")

    async def test_an_aborted_attempt_counts_what_it_had_estimated(self):
        async with system(self) as run:
            run.openai.otherwise = do.hang_after(4)
            seen = []
            student = asyncio.create_task(ask(run.api, "2 + 2", on_event=seen.append))
            self.assertTrue(await eventually(lambda: "".join(WORDS[:4]) == text_of(seen)))
            before = await run.metrics()
            await abort(run.api, seen[0].data["correlationId"])
            end = (await student).end
            self.assertEqual(end["event"], "cancelled")
            self.assertGreater(end["usage"]["outputTokens"], 0)
            self.assertGreater(end["usage"]["inputTokens"], 0)
            self.assertIs(end["usage"]["estimated"], True)
            after = await run.metrics()
            self.assertEqual(used("output", after) - used("output", before), end["usage"]["outputTokens"])


class Times(ProviderCase):
    async def test_no_token_is_held_back(self):
        """Each token reaches the student while the provider waits with the next."""
        async with system(self, "openai,gemini") as run:
            for provider, server in (("openai", run.openai), ("gemini", run.gemini)):
                sent = []

                async def behave(exchange):
                    await exchange.head()
                    for word in WORDS:
                        sent.append(time.monotonic())
                        await exchange.event(exchange.dialect.text(word))
                        await asyncio.sleep(0.3)
                    for chunk in exchange.dialect.last():
                        await exchange.event(chunk)
                    await exchange.end()

                server.otherwise = behave
                transcript = await ask(run.api, "2 + 2", provider=provider)
                came = [event.at for event in transcript.named("token")]
                self.assertEqual([event.data["text"] for event in transcript.named("token")], WORDS)
                late = [at - since for at, since in zip(came, sent)]
                print(f"{provider}: a token reaches the student after {1000 * rank(late, 0.5):.1f} ms")
                self.assertLess(rank(late, 0.5), 0.050)
                self.assertLess(late[0], 0.250)

    async def test_the_provider_is_asked_at_once_on_a_connection_that_is_there(self):
        async with system(self) as run:
            delays = []
            for number in range(20):
                transcript = await ask(run.api, f"2 + 2 [{number}]")
                (request,) = run.openai.about(f"[{number}]")
                delays.append(request.at - transcript.asked_at)
            self.assertLess(rank(delays, 0.5), 0.050)
            self.assertLessEqual(len(run.openai.connections), 2)

    async def test_a_connection_that_the_provider_has_closed_meanwhile_is_no_failure(self):
        async with system(self) as run:
            for number in range(5):
                self.assertEqual((await ask(run.api, f"2 + 2 [{number}]")).answer, ANSWER)
                run.openai.connections[-1].transport.close()
            self.assertEqual(len(run.openai.requests), 5)


class Workers(ProviderCase):
    async def test_the_sockets_of_a_killed_worker_end_and_another_answers(self):
        async with system(self, workers=2, JOB_LEASE="1s", JOB_MAX_ATTEMPTS="3") as run:
            run.openai.script["[long]"] = [do.hang_after(3), do.answer()]
            seen = []
            student = asyncio.create_task(ask(run.api, "2 + 2 [long]", on_event=seen.append))
            self.assertTrue(await eventually(lambda: "".join(WORDS[:3]) == text_of(seen)))
            owner = next(one for one in run.cluster.workers if connects(one.process.pid, run.openai.port))
            await owner.kill()
            (first, *_) = run.openai.about("[long]")
            self.assertTrue(await eventually(lambda: first.cut_at is not None, 2))
            transcript = await student
            self.assertEqual(transcript.answer, ANSWER)
            self.assertEqual(transcript.named("restarted")[0].data["reason"], "worker_lost")


    async def test_a_worker_that_drains_ends_its_calls_and_another_answers(self):
        async with system(self, workers=2, DRAIN_GRACE="200ms") as run:
            run.openai.script["[long]"] = [do.hang_after(3), do.answer()]
            seen = []
            student = asyncio.create_task(ask(run.api, "2 + 2 [long]", on_event=seen.append))
            self.assertTrue(await eventually(lambda: "".join(WORDS[:3]) == text_of(seen)))
            owner = next(one for one in run.cluster.workers if connects(one.process.pid, run.openai.port))
            owner.signal(signal.SIGTERM)
            transcript = await student
            self.assertEqual(transcript.answer, ANSWER)
            self.assertEqual(transcript.named("restarted")[0].data["reason"], "handed_over")
            self.assertIsNotNone(run.openai.about("[long]")[0].cut_at)
            self.assertTrue(await owner.gone(10))


def text_of(events):
    return "".join(event.data["text"] for event in events if event.name == "token")


def connects(pid, port):
    """Whether the process has an open connection to a local port."""
    sockets = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" and f"socket:[{row[9]}]" in sockets for row in rows)


if __name__ == "__main__":
    unittest.main()
