"""A call is paid for: it is made as often as Lemma decides, and each is counted."""

import asyncio
import contextlib
import unittest

import behaviours as do
from behaviours import ANSWER
from http2_server import HTTP2Server
from student import ask
from system import ProviderCase, system

FAULTS = ("cut", "refused", "goaway", "reset", "http11")


def cut_before_head():
    async def behave(exchange):
        exchange.cut()

    return behave


def calls(metrics):
    """Calls that the worker has counted, over all ends."""
    name = "lemma_gen_ai_client_operation_duration_seconds_count"
    return sum(value for series, value in metrics.items() if series.startswith(name))


@contextlib.asynccontextmanager
async def tunnel():
    """A proxy that makes tunnels to ports of this machine; yields its address."""

    async def pump(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        port = int(head.split(b" ")[1].rsplit(b":", 1)[1])
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(pump(reader, onward), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class Once(ProviderCase):
    async def warm(self, run, count):
        """Leaves as many idle connections as there were calls at once."""
        await asyncio.gather(*(ask(run.api, f"2 + 2 [{number}]") for number in range(count)))

    async def test_a_cut_before_the_head_is_one_call_on_a_new_and_on_reused_connections(self):
        async with system(self) as run:
            run.openai.script["[cut]"] = cut_before_head()
            for warm in (0, 1, 6):
                run.openai.script["[warm"] = do.answer(first=0.2)
                await asyncio.gather(*(ask(run.api, f"2 + 2 [warm {number}]") for number in range(warm)))
                with self.subTest(warm=warm):
                    before, asked = calls(await run.metrics()), len(run.openai.about("[cut]"))
                    transcript = await ask(run.api, "2 + 2 [cut]")
                    self.assertEqual(transcript.end["event"], "failed")
                    self.assertEqual(len(run.openai.about("[cut]")) - asked, 1)
                    self.assertEqual(calls(await run.metrics()) - before, 1)

    async def test_with_retries_each_call_is_a_counted_one(self):
        async with system(self, AI_MAX_RETRIES="2") as run:
            await self.warm(run, 6)
            run.openai.script["[cut]"] = [cut_before_head(), cut_before_head(), do.answer()]
            before = await run.metrics()
            self.assertEqual((await ask(run.api, "2 + 2 [cut]")).answer, ANSWER)
            self.assertEqual(len(run.openai.about("[cut]")), 3)
            after = await run.metrics()
            self.assertEqual(calls(after) - calls(before), 3)
            name = 'lemma_provider_retries_total{provider="openai"}'
            self.assertEqual(after[name] - before[name], 2)

    async def test_over_http2_a_broken_refused_or_disowned_stream_is_one_call(self):
        async with HTTP2Server() as provider:
            url = f"https://localhost:{provider.port}/v1"
            async with system(self, OPENAI_BASE_URL=url, SSL_CERT_FILE=provider.certificate) as run:
                for fault in FAULTS:
                    for warm in (0, 1, 3):
                        with self.subTest(fault, warm=warm):
                            await asyncio.gather(*(ask(run.api, f"2 + {number}") for number in range(warm)))
                            before = provider.requests
                            provider.faults = [fault]
                            self.assertEqual((await ask(run.api, "2 + 2")).end["event"], "failed")
                            self.assertEqual(provider.requests - before, 1)
                            # The next call is answered, whatever became of the connections.
                            self.assertEqual((await ask(run.api, "2 + 2")).answer, "4")
                            self.assertEqual(provider.requests - before, 2)

    async def test_through_a_proxy_it_is_the_same(self):
        async with HTTP2Server() as provider, tunnel() as proxy:
            url = f"https://localhost:{provider.port}/v1"
            settings = {"OPENAI_BASE_URL": url, "SSL_CERT_FILE": provider.certificate, "https_proxy": proxy}
            async with system(self, **settings) as run:
                self.assertEqual((await ask(run.api, "2 + 2")).answer, "4")
                for fault in FAULTS:
                    with self.subTest(fault):
                        before = provider.requests
                        provider.faults = [fault]
                        self.assertEqual((await ask(run.api, "2 + 2")).end["event"], "failed")
                        self.assertEqual((await ask(run.api, "2 + 2")).answer, "4")
                        self.assertEqual(provider.requests - before, 2)

    async def test_connections_are_used_again_all_the_same(self):
        async with HTTP2Server() as provider:
            url = f"https://localhost:{provider.port}/v1"
            async with system(self, OPENAI_BASE_URL=url, SSL_CERT_FILE=provider.certificate) as run:
                for number in range(20):
                    self.assertEqual((await ask(run.api, f"2 + {number}")).answer, "4")
                self.assertEqual(provider.requests, 20)
                # One for each loop at most.
                print(f"{provider.connections} handshakes for {provider.requests} calls")
                self.assertLessEqual(provider.connections, 2)


if __name__ == "__main__":
    unittest.main()
