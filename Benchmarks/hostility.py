"""What one hostile client does, from an address of its own; each kind at a bounded rate.

As a program, hostility.py PORT attacks until its input ends and prints how often it got which answer, as JSON.
"""

import asyncio
import collections
import json
import os
import random
import sys
import time
import uuid

ADDRESS = "127.0.0.2"
# The product's limit of a request's head (HTTPServerOptions.headBytesMax).
HEAD_BYTES_MAX = 16 * 1024
POISON = "poison"
# What the mock provider is told: each call for such a problem fails, so that it ends as a dead letter.
MOCK_SCRIPT = f"fail when {POISON}\n"


def uuid7():
    """A random UUID of version 7 of this moment (RFC 9562)."""
    bits = (int(time.time() * 1000) << 80) | random.getrandbits(80)
    bits = bits & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=bits & ~(0x3 << 62) | 2 << 62))


class Stranger:
    """All attacks on one port; `counts` has the answers of each by status, 0 for a connection that ended without one."""

    def __init__(self, port):
        self.port = port
        self.counts = collections.defaultdict(collections.Counter)
        self.conversation = None

    def attacks(self):
        """The tasks of every attack, for as long as they are not cancelled."""
        paced = {
            "tombstones": (self.delete_unknown, 20), "long line": (self.queue_up, 10), "interrupts": (self.interrupt, 5),
            "keys, accepted": (self.submit_with_key, 5), "keys, refused": (self.refuse_with_key, 20),
            "dead letters": (self.poison, 5), "head within": (self.large_head, 5), "head beyond": (self.giant_head, 5),
        }
        loops = [self.paced(name, action, rate) for name, (action, rate) in paced.items()]
        loops += [self.again(self.pipeline) for _ in range(16)]
        loops += [self.again(self.drip) for _ in range(50)]
        loops += [self.again(self.half_open) for _ in range(200)]
        return [asyncio.ensure_future(loop) for loop in loops]

    # Pacing

    async def paced(self, name, action, rate):
        """Calls `action` so many times a second, one after the other."""
        due = time.monotonic()
        while True:
            status = 0
            try:
                status = await asyncio.wait_for(action(), 10)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError, IndexError):
                pass
            self.counts[name][status] += 1
            due = max(due + 1 / rate, time.monotonic() - 1)
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def again(self, action):
        while True:
            try:
                await action()
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
                pass
            self.counts[action.__name__.replace("_", " ")]["ended"] += 1
            await asyncio.sleep(random.uniform(0.1, 0.5))

    # One request a connection

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(ADDRESS, 0))

    async def request(self, method, path, body=None, headers=()):
        """The status and the body of an answer."""
        reader, writer = await self.connect()
        try:
            raw = json.dumps(body).encode() if body is not None else b""
            lines = [f"{method} {path} HTTP/1.1", "Host: a", "Connection: close", f"Content-Length: {len(raw)}"]
            lines += ["Content-Type: application/json"] if raw else []
            writer.write("\r\n".join([*lines, *headers, "", ""]).encode() + raw)
            answer = await reader.read()
            head, _, text = answer.partition(b"\r\n\r\n")
            return int(head.split(b" ")[1]), text
        finally:
            writer.transport.abort()

    async def solve(self, body, headers=()):
        return await self.request("POST", "/api/math/solve", body, headers)

    async def delete_unknown(self):
        return (await self.request("DELETE", f"/api/conversations/{uuid7()}"))[0]

    async def queue_up(self, on_busy="enqueue"):
        """One more request of a conversation whose requests run one after the other."""
        body = {"problem": "1 + 1 " * 40}
        if self.conversation:
            body |= {"conversationId": self.conversation, "options": {"onBusy": on_busy}}
        status, text = await self.solve(body)
        if status == 202:
            self.conversation = json.loads(text)["conversationId"]
        elif status == 404:
            self.conversation = None
        return status

    async def interrupt(self):
        return await self.queue_up("interrupt")

    async def submit_with_key(self):
        return (await self.solve({"problem": "1 + 1"}, [f"Idempotency-Key: {uuid7()}"]))[0]

    async def refuse_with_key(self):
        body = {"problem": "1 + 1", "conversationId": uuid7()}
        return (await self.solve(body, [f"Idempotency-Key: {uuid7()}"]))[0]

    async def poison(self):
        return (await self.solve({"problem": f"{POISON} {uuid7()}"}))[0]

    async def large_head(self):
        return (await self.request("GET", "/", headers=[f"X-Padding: {'x' * (HEAD_BYTES_MAX - 200)}"]))[0]

    async def giant_head(self):
        return (await self.request("GET", "/", headers=[f"X-Padding: {'x' * HEAD_BYTES_MAX}"]))[0]

    # Long connections

    async def pipeline(self):
        """Three requests under way at any time, of nearly the largest head.

        A conversation with so young an id may be on its way to the archive, so each answer takes a second, and more than
        one request always waits for it.
        """
        reader, writer = await self.connect()
        padding = "x" * (HEAD_BYTES_MAX - 300)

        def ask():
            path = f"/api/conversations/{uuid7()}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Padding: {padding}\r\n\r\n".encode())

        try:
            for _ in range(3):
                ask()
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
                self.counts["pipeline"][int(head.split(" ")[1])] += 1
                ask()
        finally:
            writer.transport.abort()

    async def drip(self):
        """A head that comes byte by byte."""
        reader, writer = await self.connect()
        try:
            end = asyncio.ensure_future(reader.read())
            for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX-Drip: " + b"x" * 10000:
                if end.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.wait([end], timeout=0.5)
            await end
        finally:
            writer.transport.abort()

    async def half_open(self):
        """Half a head, then silence for as long as the server bears it."""
        reader, writer = await self.connect()
        try:
            writer.write(b"POST /api/math/solve HTTP/1.1\r\nHost: a\r\nContent-Le")
            await reader.read()
        finally:
            writer.transport.abort()


async def main(port):
    stranger = Stranger(port)
    attacks = stranger.attacks()
    over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, _ = await asyncio.wait([*attacks, over], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {over}:
        task.result()
    counts = {name: {str(answer): count for answer, count in of.items()} for name, of in stranger.counts.items()}
    print(json.dumps(counts), flush=True)
    # As a hostile client goes: without a word to its connections.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
