#!/usr/bin/env python3
"""Measures the same paced answers directly from a provider and through Lemma, in turn, and prints one JSON object.

This process is the provider, of Tests/Providers, and the student. A token goes out each 1/RATE seconds from the
provider's receipt of the request on; nothing that happens to an earlier one delays a later one.
"""
import argparse
import asyncio
import json
import pathlib
import statistics
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent / "Tests"
sys.path += [str(TESTS / "Providers"), str(TESTS / "ClusterSupport")]

from http_client import send
from provider_server import ProviderServer


def paced(tokens, rate):
    async def behave(exchange):
        start = time.monotonic()
        await exchange.head()
        for number in range(tokens):
            await asyncio.sleep(start + number / rate - time.monotonic())
            await exchange.event(exchange.dialect.text(f"t{number} "))
        for chunk in exchange.dialect.last(usage=exchange.dialect.usage()):
            await exchange.event(chunk)
        await exchange.end()

    return behave


async def answer(port, path, body, is_token):
    """Seconds from asking to the first token and to the end of the stream; number of events that are tokens."""
    start = time.monotonic()
    response = await send(port, "POST", path, {"Accept": "text/event-stream"}, body, timeout=20)
    first, tokens, rest = None, 0, b""
    try:
        while data := await asyncio.wait_for(response.part(), 20):
            count, rest = is_token(rest + data)
            if count and first is None:
                first = time.monotonic() - start
            tokens += count
    finally:
        response.close()
    return {"first": first, "whole": time.monotonic() - start, "text": tokens}


def count(marker):
    """Counts tokens by the number in them: Lemma joins several into one event when it is behind."""

    def of(data):
        end = data.rfind(b"\n\n") + 2
        found = sum(line.count(b" ") for line in _texts(data[:end], marker)) if end > 1 else 0
        return found, data[end:] if end > 1 else data

    return of


def _texts(data, marker):
    for line in data.split(b"\n"):
        if line.startswith(b"data:") and marker in line:
            yield line.split(marker)[1].split(b'"')[0]


async def pairs(port, provider, rate, tokens, number):
    provider.otherwise = paced(tokens, rate)
    direct = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "2 + 2"}]}
    found = []
    for _ in range(number):
        plain = await answer(provider.port, "/v1/chat/completions", direct, count(b'"content": "'))
        through = await answer(port, "/api/math/solve", {"problem": "2 + 2"}, count(b'"text":"'))
        for one in (plain, through):
            if one["text"] != tokens:
                sys.exit(f"{one['text']} tokens came of {tokens}")
        found.append((plain, through))

    def median(key, value):
        return statistics.median(value(plain[key], through[key]) for plain, through in found)

    return {
        "tokensPerSecond": rate,
        "pairs": number,
        "directSeconds": median("whole", lambda plain, _: plain),
        "lemmaSeconds": median("whole", lambda _, through: through),
        "ratio": median("whole", lambda plain, through: through / plain),
        "addedFirstTokenMillis": median("first", lambda plain, through: 1000 * (through - plain)),
    }


async def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, required=True, help="of Lemma")
    parser.add_argument("--provider-port", type=int, required=True, help="where to be the provider")
    options = parser.parse_args()
    provider = await ProviderServer(None).start(options.provider_port)
    await pairs(options.port, provider, 1000, 100, 3)
    runs = [await pairs(options.port, provider, 50, 200, 5), await pairs(options.port, provider, 1000, 1000, 20)]
    provider.close()
    print(json.dumps(runs))


asyncio.run(main())
