"""What real servers send oddly, over the wire and with their pauses; `Oddities` in InfrastructureTests has the table without time."""

import asyncio
import json
import time
import unittest

from behaviours import ANSWER, answer
from student import ask
from system import ProviderCase, system

WAIT = 2.5


def delta(content, reason=None, **members):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    return {"object": "chat.completion.chunk", "choices": [choice], **members}


def part(text, reason=None, **members):
    candidate = {"content": {"role": "model", "parts": [{"text": text}] if text else []}}
    return {"candidates": [{**candidate, **({"finishReason": reason} if reason else {})}], **members}


def play(*steps, framing="Transfer-Encoding: chunked", end=True, **head):
    """Steps are events (objects or texts), raw bytes, or pauses in seconds."""

    async def behave(exchange):
        exchange.status = head.get("status", 200)
        exchange.headers = {"Content-Type": head.get("type", "text/event-stream")}
        await exchange.head(framing)
        for step in steps:
            if isinstance(step, (int, float)):
                await asyncio.sleep(step)
            elif isinstance(step, bytes):
                await exchange.piece(step)
            else:
                await exchange.event(step)
        if end:
            await exchange.end()
        else:
            await asyncio.sleep(3600)

    return behave


DONE = "[DONE]"
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
OPENAI = {
    "an empty reason": play(delta("x = ", ""), WAIT, delta("2", "stop"), DONE),
    "the word null": play(delta("x = ", "null"), WAIT, delta("2", "stop"), DONE),
    "stop on every chunk": play(delta("x = ", "stop"), WAIT, delta("2", "stop"), DONE),
    "stop on every chunk, and no end": play(delta("x = 2", "stop"), end=False),
    "stop ahead of the text": play(delta("", "stop"), WAIT, delta("x = "), delta("2"), DONE),
    "stop ahead of the text alone": play(delta("", "stop"), delta("x = "), delta("2")),
    "text soon after a reason": play(delta("x = "), STOP, 1.5, delta("2"), WAIT, STOP, DONE),
    "keep-alives": play(b"data:\n\n", b"event: ping\ndata: {}\n\n", delta("x = "), b": c\n\n", b"data: \n\n", delta("2"), STOP, DONE),
    "half an emoji": play(b'data: {"choices":[{"delta":{"content":"x = 2\\ud83d"}}]}\n\n', b'data: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n', STOP, DONE),
    "wrong media type": play(delta("x = "), delta("2"), STOP, DONE, type="application/json"),
    "thinking": play(delta("<thi"), delta("nk>2x is 4</th"), delta("ink>\n\nx = 2"), STOP, DONE),
    "no empty line": play(delta("x = "), b"data: " + json.dumps(delta("2", "stop")).encode()),
}
GEMINI = {
    "STOP on every chunk": play(part("x = ", "STOP"), WAIT, part("2", "STOP")),
    "STOP ahead of the text": play(part("", "STOP"), 3, part("x = 2", "STOP")),
    "STOP ahead of the text alone": play(part("", "STOP"), 3, part("x = "), part("2")),
    "STOP in between": play(part("x = "), part("", "STOP"), WAIT, part("2", "STOP")),
    "no empty line": play(part("x = "), b"data: " + json.dumps(part("2", "STOP")).encode()),
    "a list": play(b"[" + json.dumps(part("x = ")).encode(), b",\r\n" + json.dumps(part("2", "STOP")).encode() + b"\r\n]", type="application/json"),
    "thinking": play(part("<think>2x is 4</think>x = "), part("2", "STOP")),
}


class Answers(ProviderCase):
    async def test_each_is_the_answer_that_was_meant(self):
        for provider, script in (("openai", OPENAI), ("gemini", GEMINI)):
            async with system(self, provider, AI_IDLE_TIMEOUT="6s") as run:
                server = getattr(run, provider)
                server.script = {f"[{name}]": behaviour for name, behaviour in script.items()}
                found = await asyncio.gather(*(ask(run.api, f"2x = 4 [{name}]") for name in script))
                for name, transcript in zip(script, found):
                    with self.subTest(name, provider=provider):
                        self.assertEqual(transcript.end["event"], "completed", transcript.end)
                        self.assertEqual(transcript.answer, "x = 2😀" if "emoji" in name else "x = 2")
                        self.assertEqual(transcript.reasoning, "2x is 4" if name == "thinking" else "")
                        self.assertEqual(len(server.about(f"[{name}]")), 1)

    async def test_keep_alives_are_no_first_token(self):
        pings = [step for _ in range(40) for step in (b": ping\n\ndata:\n\n", 0.1, delta(" "), 0.1)]
        async with system(self, "openai,gemini", AI_FIRST_TOKEN_TIMEOUT="2s") as run:
            run.openai.otherwise = play(*pings, delta("late"), STOP, DONE)
            transcript = await ask(run.api, "2 + 2")
            self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "gemini"))
            self.assertLess(transcript.first_token_after, 6)


class Pauses(ProviderCase):
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}

    async def test_nobody_calls_before_the_moment_that_was_named_and_the_next_provider_answers_at_once(self):
        body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [self.info]}}
        heads = [{}, {"retry-after-ms": "34070"}, {"x-ratelimit-reset-requests": "34.07s"}, {"Retry-After": "34"}]
        for fields in heads:
            async with system(self, "gemini,openai", AI_MAX_RETRIES="2") as run:

                async def refuse(exchange):
                    await exchange.whole(429, body if not fields else {"error": {"code": 429}}, fields)

                run.gemini.otherwise = refuse
                for number in range(3):
                    transcript = await ask(run.api, f"2 + {number}")
                    self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "openai"))
                    self.assertLess(transcript.first_token_after, 2)
                self.assertEqual(len(run.gemini.requests), 1, fields)

    async def test_the_only_provider_is_called_again_when_its_pause_is_over(self):
        async with system(self, AI_MAX_RETRIES="1") as run:
            refused_at = []

            async def refuse(exchange):
                refused_at.append(time.monotonic())
                await exchange.whole(429, {"error": {"code": 429}}, {"retry-after-ms": "1500"})

            run.openai.script["2"] = [refuse, answer()]
            self.assertEqual((await ask(run.api, "2 + 2")).answer, ANSWER)
            self.assertGreaterEqual(run.openai.requests[1].at - refused_at[0], 1.49)


def refusing(member, status, body):
    """Refuses a request that has `member`: the name of a member, or a role."""

    async def behave(exchange):
        sent = exchange.request.json
        roles = [one["role"] for one in sent.get("messages", [])]
        if member in sent or member in sent.get("generationConfig", {}) or member in roles:
            await exchange.whole(status, body)
        else:
            await answer()(exchange)

    return behave


class Shapes(ProviderCase):
    openai = {
        "stream_options": (422, {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}),
        "system": (400, {"object": "error", "message": "System role not supported", "code": 400}),
        "temperature": (400, {"error": {"message": "Only the default temperature is supported", "param": "temperature"}}),
        "max_tokens": (400, {"error": {"message": "'max_tokens' is not supported. Use 'max_completion_tokens'."}}),
    }
    gemini = {
        "systemInstruction": (400, {"error": {"code": 400, "message": "Developer instruction is not enabled"}}),
        "temperature": (400, [{"error": {"code": 400, "message": "Unknown name \"temperature\": Cannot find field."}}]),
    }
    options = {"temperature": 0.5, "maxOutputTokens": 100}

    async def test_what_is_refused_is_left_out_remembered_counted_and_told_of_once(self):
        for provider, refusals in (("openai", self.openai), ("gemini", self.gemini)):
            for member, (status, body) in refusals.items():
                with self.subTest(member, provider=provider):
                    async with system(self, provider) as run:
                        server = getattr(run, provider)
                        server.otherwise = refusing(member, status, body)
                        for number in range(3):
                            transcript = await ask(run.api, f"2 + {number}", options=self.options)
                            self.assertEqual(transcript.answer, ANSWER)
                            self.assertEqual(transcript.end["attempts"], 1)
                        self.assertEqual(len(server.requests), 4)
                        self.assertIn("patient mathematics teacher", server.requests[-1].body.decode())
                        name = f'{{provider="{provider}"}}'
                        metrics = await run.metrics()
                        self.assertEqual(metrics[f"lemma_provider_adaptations_total{name}"], 1)
                        with open(run.worker.log_path, encoding="utf-8") as log:
                            told = [line for line in log if "provider is sent less than before" in line]
                        self.assertEqual(len(told), 1)

    async def test_an_option_whose_value_is_refused_is_left_out_of_that_request_only(self):
        for member, words in (
            ("temperature", "temperature must be between 0 and 0.4"),
            ("max_tokens", "max_tokens: Input should be less than or equal to 64"),
        ):
            with self.subTest(member):
                async with system(self, "openai") as run:
                    run.openai.script["2 + 0"] = [refusing(member, 422, {"error": {"message": words}}), answer()]
                    for number in range(2):
                        transcript = await ask(run.api, f"2 + {number}", options=self.options)
                        self.assertEqual(transcript.answer, ANSWER)
                    sent = [member in request.json for request in run.openai.requests]
                    self.assertEqual(sent, [True, False, True])

    async def test_only_a_400_that_names_the_content_ends_everything(self):
        async with system(self, "openai,gemini") as run:
            for body, end, provider in (
                ({"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xai-1"}, "completed", "gemini"),
                ({"error": {"code": "model_not_found", "message": "The model does not exist"}}, "completed", "gemini"),
                (b"<html>400 Bad Request</html>", "completed", "gemini"),
                ({"error": {"code": "context_length_exceeded", "message": "too long"}}, "failed", None),
                ({"error": {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "completed", "openai"),
            ):
                with self.subTest(body=body):

                    async def refuse(exchange, body=body):
                        await exchange.whole(400, body)

                    run.openai.otherwise = refuse
                    transcript = await ask(run.api, "2 + 2")
                    self.assertEqual((transcript.end["event"], transcript.end.get("provider")), (end, provider))
                    if provider == "openai":
                        self.assertEqual((transcript.answer, transcript.end["finishReason"]), ("", "content_filter"))

    async def test_a_refusal_that_nothing_mends_goes_to_the_next_provider(self):
        async with system(self, "openai,gemini") as run:
            for status, body in ((422, {}), (400, {"error": {"message": "Streaming is not supported"}})):
                run.openai.otherwise = refusing("model", status, body)
                transcript = await ask(run.api, f"2 + {status}")
                self.assertEqual((transcript.answer, transcript.end["provider"]), (ANSWER, "gemini"))
                self.assertEqual(len(run.openai.about(str(status))), 2)


if __name__ == "__main__":
    unittest.main()
