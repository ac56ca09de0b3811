"""A minimal asyncio client of Redis (RESP2): one command at a time."""

import asyncio


class RedisFailure(Exception):
    """Redis answered with an error."""


class RedisLink:
    """One connection; made anew for each use, because the chaos cuts connections."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer)

    def close(self):
        self.writer.close()

    async def call(self, *words):
        self.send(*words)
        return await self.reply()

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            raw = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
        self.writer.write(b"".join(parts))

    async def reply(self):
        line = (await self.reader.readuntil(b"\r\n"))[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisFailure(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            return (await self.reader.readexactly(int(rest) + 2))[:-2].decode()
        if kind == b"*":
            return None if rest == b"-1" else [await self.reply() for _ in range(int(rest))]
        raise RedisFailure(f"not RESP2: {line!r}")


async def ask(port, *words, timeout=5):
    """One command on a connection of its own."""

    async def exchange():
        link = await RedisLink.open(port)
        try:
            return await link.call(*words)
        finally:
            link.close()

    return await asyncio.wait_for(exchange(), timeout)
