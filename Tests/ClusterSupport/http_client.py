"""HTTP/1.1 for the students of a suite: one request a connection, and event streams read as they come."""

import asyncio
import json
import socket


class Closed(Exception):
    """The connection ended before the response did."""


class Response:
    """An open response; `body()` reads it whole, `events()` as server-sent events."""

    def __init__(self, reader, writer, status, headers):
        self.reader = reader
        self.writer = writer
        self.status = status
        self.headers = headers
        # How long the server wants the client to wait before it comes back, in milliseconds; None where it said nothing.
        self.retry = None
        self._left = int(headers.get("content-length", 0))
        self._is_chunked = headers.get("transfer-encoding") == "chunked"

    def close(self):
        self.writer.transport.abort()

    async def part(self):
        """The next bytes of the body; empty at its proper end."""
        try:
            if not self._is_chunked:
                data = await self.reader.read(min(self._left, 65536)) if self._left else b""
                if self._left and not data:
                    raise Closed
                self._left -= len(data)
                return data
            size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            data = await self.reader.readexactly(size + 2)
            return data[:-2]
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise Closed from error

    async def body(self):
        parts = []
        while data := await self.part():
            parts.append(data)
        return b"".join(parts)

    async def events(self, silence=None):
        """Yields (id, name, data); ends where the response ends. `silence` is the longest wait for a byte."""
        rest = b""
        while data := await asyncio.wait_for(self.part(), silence):
            rest += data
            while (end := rest.find(b"\n\n")) >= 0:
                block, rest = rest[:end].decode(), rest[end + 2 :]
                fields = {}
                for line in block.split("\n"):
                    name, _, value = line.partition(": ")
                    if name in ("id", "event", "data"):
                        fields[name] = value
                    elif name == "retry":
                        self.retry = int(value)
                if "event" in fields:
                    yield fields.get("id", ""), fields["event"], fields.get("data", "")
        # A hint counts with its line, also where no event follows.
        for line in rest.decode().split("\n")[:-1]:
            if line.startswith("retry: "):
                self.retry = int(line.removeprefix("retry: "))


async def send(port, method, path, headers=None, body=None, timeout=10, receive_buffer=None, source=None):
    """Sends a request, from the address `source`, and reads the head of the response; raises Closed without one."""

    async def exchange():
        try:
            connection = socket.socket()
            connection.setblocking(False)
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                connection.bind((source, 0))
            try:
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
                reader, writer = await asyncio.open_connection(sock=connection, limit=receive_buffer or 65536)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise Closed from error
        try:
            raw = json.dumps(body).encode() if body is not None else b""
            head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(raw)}"]
            if raw:
                head.append("Content-Type: application/json")
            head += [f"{name}: {value}" for name, value in (headers or {}).items()]
            writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + raw)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            status = int(lines[0].split(" ")[1])
            fields = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                fields[name.lower()] = value.strip()
            return Response(reader, writer, status, fields)
        except (OSError, asyncio.IncompleteReadError) as error:
            writer.transport.abort()
            raise Closed from error
        except BaseException:
            writer.transport.abort()
            raise

    try:
        return await asyncio.wait_for(exchange(), timeout)
    except asyncio.TimeoutError as error:
        raise Closed from error


async def fetch(port, method, path, headers=None, body=None, timeout=10, source=None):
    """Status, headers and body read as JSON; status 0 where no whole answer came."""

    async def exchange():
        response = await send(port, method, path, headers, body, timeout, source=source)
        try:
            raw = await response.body()
            kind = response.headers.get("content-type", "")
            return response.status, response.headers, json.loads(raw) if raw and "json" in kind else None
        finally:
            response.close()

    try:
        return await asyncio.wait_for(exchange(), timeout)
    except (Closed, asyncio.TimeoutError):
        return 0, {}, None
