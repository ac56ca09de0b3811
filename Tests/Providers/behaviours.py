"""What a scripted provider does with a request: good answers in all their variants, and every fault.

Each is a function that makes a behaviour for `ProviderServer.script`.
"""

import asyncio
import gzip
import json

WORDS = ["Add ", "the ", "halves: ", "½+½ ", "makes ", "\\(1\\) ", "😀"]
ANSWER = "".join(WORDS)
FOREVER = 3600


async def _begin(exchange):
    await exchange.head()
    for chunk in exchange.dialect.first():
        await exchange.event(chunk)


async def _finish(exchange, finish="stop", usage=None):
    for chunk in exchange.dialect.last(finish, usage):
        await exchange.event(chunk)
    await exchange.end()


# Good answers


def answer(words=WORDS, pause=0.0, first=0.0, finish="stop", usage={}):
    """Tokens, `pause` seconds apart, the first after `first`; `usage` are its numbers, None for no usage."""

    async def behave(exchange):
        await _begin(exchange)
        await asyncio.sleep(first)
        for index, word in enumerate(words):
            if index:
                await asyncio.sleep(pause)
            await exchange.event(exchange.dialect.text(word))
        await _finish(exchange, finish, None if usage is None else exchange.dialect.usage(**usage))

    return behave


def reasoned(member=None):
    """Thinks first; OpenAI-style servers use two names for that."""

    async def behave(exchange):
        await _begin(exchange)
        options = {"member": member} if member else {}
        for word in ("Halves ", "first."):
            await exchange.event(exchange.dialect.reasoning(word, **options))
        for word in WORDS:
            await exchange.event(exchange.dialect.text(word))
        await _finish(exchange, usage=exchange.dialect.usage(output=9, reasoning=2))

    return behave


def unfinished(hangs):
    """Says why it ends, and then neither the protocol's last word nor, where it `hangs`, the end of the response."""

    async def behave(exchange):
        await _begin(exchange)
        await exchange.event(exchange.dialect.text(ANSWER))
        await exchange.event(exchange.dialect.last()[0])
        if hangs:
            await asyncio.sleep(FOREVER)
        await exchange.end()

    return behave


def without_reason():
    """The protocol's last word, and no reason before it."""

    async def behave(exchange):
        await _begin(exchange)
        await exchange.event(exchange.dialect.text(ANSWER))
        await exchange.event(exchange.dialect.last(usage=exchange.dialect.usage())[-2])
        await exchange.event("[DONE]")
        await exchange.end()

    return behave


def usage_beside_empty_delta():
    """The variant that has the usage in a chunk with a choice whose delta is empty."""

    async def behave(exchange):
        await _begin(exchange)
        await exchange.event(exchange.dialect.text(ANSWER))
        *chunks, usage, done = exchange.dialect.last(usage=exchange.dialect.usage())
        usage["choices"] = [{"index": 0, "delta": {}, "finish_reason": None}]
        for chunk in (*chunks, usage, done):
            await exchange.event(chunk)
        await exchange.end()

    return behave


def dribble(piece=1):
    """The whole answer in pieces of `piece` bytes, each a write of its own; CRLF, a BOM, comments and blank lines."""

    async def behave(exchange):
        dialect = exchange.dialect
        chunks = [*dialect.first(), *map(dialect.text, WORDS), *dialect.last(usage=dialect.usage())]
        lines = ["\ufeff: hello\r\n\r\n"]
        for chunk in chunks:
            text = chunk if isinstance(chunk, str) else json.dumps(chunk, ensure_ascii=False)
            lines.append(f": ping\r\n\r\ndata:{text}\r\n\r\n")
        data = "".join(lines).encode()
        await exchange.head()
        for start in range(0, len(data), piece):
            await exchange.piece(data[start : start + piece])
            await asyncio.sleep(0)
        await exchange.end()

    return behave


def whole_document():
    """One JSON document instead of a stream."""

    async def behave(exchange):
        await exchange.whole(200, exchange.dialect.document(ANSWER))

    return behave


def compressed(damage=lambda data: data):
    """gzip, although it was not requested; `damage` is applied to it."""

    async def behave(exchange):
        dialect = exchange.dialect
        chunks = [dialect.text(ANSWER), *dialect.last(usage=dialect.usage())]
        data = "".join(f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n" for one in chunks).encode()
        exchange.headers["Content-Encoding"] = "gzip"
        await exchange.head()
        await exchange.piece(damage(gzip.compress(data)))
        await exchange.end()

    return behave


# Silence


def hang():
    """No byte of a response."""

    async def behave(exchange):
        await asyncio.sleep(FOREVER)

    return behave


def hang_after_head():
    async def behave(exchange):
        await exchange.head()
        await asyncio.sleep(FOREVER)

    return behave


def hang_after(count):
    """`count` tokens, then nothing."""

    async def behave(exchange):
        await _begin(exchange)
        for word in WORDS[:count]:
            await exchange.event(exchange.dialect.text(word))
        await asyncio.sleep(FOREVER)

    return behave


# Refusals


def status(code, headers=None, body=None):
    async def behave(exchange):
        await exchange.whole(code, exchange.dialect.error(code) if body is None else body, headers)

    return behave


def redirect(location):
    return status(307, {"Location": location}, b"")


def error_in_stream(after=0, status=500):
    """An error object inside a 200 that names `status`, after `after` tokens."""

    async def behave(exchange):
        await _begin(exchange)
        for word in WORDS[:after]:
            await exchange.event(exchange.dialect.text(word))
        await exchange.event(exchange.dialect.error(status))
        await exchange.end()

    return behave


# Broken streams


def closed(after=0, properly=True):
    """Ends after some tokens without a word of why: the body well framed, or the connection simply gone."""

    async def behave(exchange):
        await _begin(exchange)
        for word in WORDS[:after]:
            await exchange.event(exchange.dialect.text(word))
        if properly:
            await exchange.end()
        else:
            exchange.cut()

    return behave


def cut_inside(what, after=0):
    """`after` tokens, then the connection ends inside a character, a JSON value or a line."""

    async def behave(exchange):
        await _begin(exchange)
        for word in WORDS[:after]:
            await exchange.event(exchange.dialect.text(word))
        line = b"data: " + json.dumps(exchange.dialect.text("😀"), ensure_ascii=False).encode()
        inside = {"character": line.index("😀".encode()) + 2, "value": line.index("😀".encode()), "line": len(line)}
        await exchange.piece(line[: inside[what]])
        exchange.cut()

    return behave


def garbage(data, after=0):
    """Bytes that are none of the protocol, as the content of a well framed stream."""

    async def behave(exchange):
        await _begin(exchange)
        for word in WORDS[:after]:
            await exchange.event(exchange.dialect.text(word))
        await exchange.piece(data)
        await exchange.end()

    return behave


def no_http():
    async def behave(exchange):
        await exchange.raw(b"\x00\xff\xfe garbage \r\n\r\n")
        exchange.cut()

    return behave


def long_line(size=10_000_000):
    """One line that does not end for `size` bytes."""

    async def behave(exchange):
        await _begin(exchange)
        await exchange.piece(b'data: {"x":"')
        for _ in range(size // 10_000):
            await exchange.piece(b"y" * 10_000)
        await exchange.piece(b'"}\n\n')
        await _finish(exchange)

    return behave


def long_head(size=1_000_000):
    async def behave(exchange):
        exchange.headers["X-Long"] = "y" * size
        await answer()(exchange)

    return behave


def endless(word="more ", pause=0.0):
    """Tokens until the connection is gone."""

    async def behave(exchange):
        await _begin(exchange)
        while True:
            await exchange.event(exchange.dialect.text(word))
            await asyncio.sleep(pause)

    return behave


def page():
    """An HTML page with status 200, as a captive portal sends it."""
    return status(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title>" + b"<p>x" * 100)
