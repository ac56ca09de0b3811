"""Against servers of other projects: LiteLLM's proxy, in both dialects, and llama.cpp's server."""

import asyncio
import unittest

from foreign import KEY, MOCK_ANSWER, litellm, llama
from student import ask, record
from system import ProviderCase, system
from tiny_model import ANSWER, THOUGHT


class LiteLLM(ProviderCase):
    @classmethod
    def setUpClass(cls):
        cls.port = cls.enterClassContext(litellm(cls.enterClassContext(llama())))

    def settings(self, model="answer", key=KEY):
        openai = {"OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1", "OPENAI_MODEL": model, "OPENAI_API_KEY": key}
        gemini = {name.replace("OPENAI", "GEMINI"): value for name, value in openai.items()}
        gemini["GEMINI_BASE_URL"] = f"http://127.0.0.1:{self.port}/v1beta"
        return {**openai, **gemini}

    async def test_it_answers_in_both_dialects_with_its_usage(self):
        async with system(self, "openai,gemini", **self.settings()) as run:
            for provider in ("openai", "gemini"):
                with self.subTest(provider):
                    transcript = await ask(run.api, "½ + ½", provider=provider)
                    self.assertEqual(transcript.answer, MOCK_ANSWER)
                    self.assertEqual(transcript.end["finishReason"], "stop")
                    self.assertEqual(transcript.end["provider"], provider)
                    usage = transcript.end["usage"]
                    self.assertGreater(usage["inputTokens"], 0)
                    self.assertGreater(usage["outputTokens"], 0)
                    self.assertNotIn("estimated", usage)
                    self.assertEqual((await record(run.api, transcript.id))["answer"], MOCK_ANSWER)

    async def test_its_errors_fall_back(self):
        for model, key in (("busy", KEY), ("broken", KEY)):
            settings = self.settings(model, key)
            async with system(self, "openai,mock", **settings) as run:
                transcript = await ask(run.api, "½ + ½")
                self.assertEqual(transcript.end["provider"], "mock", model)

    async def test_a_model_that_it_does_not_know_falls_back(self):
        """It reports that with 400: the settings are wrong, not the request."""
        async with system(self, "openai,mock", **self.settings("unknown")) as run:
            transcript = await ask(run.api, "½ + ½")
            self.assertEqual((transcript.end["event"], transcript.end["provider"]), ("completed", "mock"))

    async def test_what_the_model_behind_it_thinks_and_answers_comes_through(self):
        async with system(self, "openai,gemini", **self.settings("tiny")) as run:
            for provider in ("openai", "gemini"):
                with self.subTest(provider):
                    transcript = await ask(run.api, "½ + ½", provider=provider)
                    # As a Gemini-style server LiteLLM keeps the thinking to itself.
                    self.assertEqual(transcript.reasoning, "".join(THOUGHT) if provider == "openai" else "")
                    self.assertEqual(transcript.answer, "".join(ANSWER))
                    self.assertEqual(transcript.end["finishReason"], "stop")
                    self.assertNotIn("estimated", transcript.end["usage"])

    async def test_many_at_once(self):
        async with system(self, "openai", **self.settings()) as run:
            found = await asyncio.gather(*(ask(run.api, f"½ + ½ for {number}") for number in range(50)))
            self.assertEqual({transcript.answer for transcript in found}, {MOCK_ANSWER})


class Llama(ProviderCase):
    @classmethod
    def setUpClass(cls):
        cls.port = cls.enterClassContext(llama())

    def settings(self, key=KEY):
        return {"OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1", "OPENAI_MODEL": "tiny", "OPENAI_API_KEY": key}

    async def test_it_thinks_and_answers_with_its_usage(self):
        async with system(self, "openai", **self.settings()) as run:
            transcript = await ask(run.api, "½ + ½")
            self.assertEqual(transcript.reasoning, "".join(THOUGHT))
            self.assertEqual(transcript.answer, "".join(ANSWER))
            self.assertEqual(transcript.end["finishReason"], "stop")
            self.assertGreater(transcript.end["usage"]["inputTokens"], 0)
            # Its words, the marks around the thought and the end of text.
            self.assertEqual(transcript.end["usage"]["outputTokens"], len(THOUGHT) + len(ANSWER) + 3)
            self.assertEqual((await record(run.api, transcript.id))["answer"], "".join(ANSWER))

    async def test_an_answer_that_is_too_long_is_cut_as_it_says(self):
        async with system(self, "openai", **self.settings()) as run:
            transcript = await ask(run.api, "½ + ½", options={"maxOutputTokens": len(THOUGHT) + 6})
            self.assertEqual(transcript.end["finishReason"], "length")
            self.assertEqual(transcript.answer, "".join(ANSWER[:4]))

    async def test_its_refusal_of_a_wrong_key_falls_back(self):
        async with system(self, "openai,mock", **self.settings("wrong")) as run:
            self.assertEqual((await ask(run.api, "½ + ½")).end["provider"], "mock")

    async def test_many_at_once(self):
        async with system(self, "openai", **self.settings()) as run:
            found = await asyncio.gather(*(ask(run.api, f"½ + ½ for {number}") for number in range(20)))
            self.assertEqual({transcript.answer for transcript in found}, {"".join(ANSWER)})


if __name__ == "__main__":
    unittest.main()
