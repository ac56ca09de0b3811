"""An AI provider whose every byte a test decides: HTTP/1.1 by hand, with a record of all that its client did."""

import asyncio
import json
import time
from dataclasses import dataclass, field

from dialects import dialect_of


@dataclass
class Request:
    """One request as it came; times are monotonic seconds."""

    connection: "Connection"
    at: float
    method: str
    path: str
    headers: dict
    body: bytes
    # When the client ended the connection before the behaviour was done with it.
    cut_at: float | None = None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The last thing the user said."""
        return self.dialect.problem(self.json)

    @property
    def dialect(self):
        return dialect_of(self.path)


class Connection(asyncio.Protocol):
    """One connection of a client, from its opening to its end."""

    def __init__(self, server):
        self.server = server
        self.transport = None
        self.opened_at = 0.0
        self.closed_at = None
        # True where the client ended it and not this server.
        self.closed_by_peer = False
        self._waiting = b""
        self._request = None
        self._exchange = None
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def is_open(self):
        return self.closed_at is None

    def connection_made(self, transport):
        self.transport = transport
        self.opened_at = time.monotonic()
        self.server.connections.append(self)

    def data_received(self, data):
        self._waiting += data
        self._start()

    def eof_received(self):
        self._end(by_peer=True)

    def connection_lost(self, error):
        self._end(by_peer=error is not None)
        self._writable.set()

    def pause_writing(self):
        self._writable.clear()

    def resume_writing(self):
        self._writable.set()

    def _end(self, by_peer):
        if self.closed_at is not None:
            return
        self.closed_at = time.monotonic()
        self.closed_by_peer = by_peer
        if self._exchange:
            self._request.cut_at = self.closed_at
            self._exchange.cancel()

    def _start(self):
        """Starts to answer the next request, once the one before is answered."""
        head, separator, rest = self._waiting.partition(b"\r\n\r\n")
        if not separator or self._exchange:
            return
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        headers = {name.lower(): value for name, value in fields.items()}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._waiting = rest[length:]
        method, path, _ = lines[0].split(" ")
        self._request = Request(self, time.monotonic(), method, path, headers, rest[:length])
        self.server.requests.append(self._request)
        self._exchange = asyncio.create_task(self._answer(self._request))

    async def _answer(self, request):
        try:
            await self.server.behaviour(request)(Exchange(request))
        except Exception as error:
            self.server.mistakes.append(error)
        finally:
            self._exchange = None
        if self.is_open:
            self._start()

    async def write(self, data):
        self.transport.write(data)
        await self._writable.wait()


@dataclass
class Exchange:
    """What a behaviour answers with."""

    request: Request
    status: int = 200
    headers: dict = field(default_factory=lambda: {"Content-Type": "text/event-stream"})

    @property
    def dialect(self):
        return self.request.dialect

    async def raw(self, data):
        await self.request.connection.write(data)

    async def head(self, framing="Transfer-Encoding: chunked"):
        lines = [f"HTTP/1.1 {self.status} Scripted", framing]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def piece(self, data):
        """One chunk of the body."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def event(self, value):
        """One event of the stream: an object, or a text such as [DONE]."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        await self.piece(f"data: {text}\n\n".encode())

    async def end(self):
        await self.raw(b"0\r\n\r\n")

    async def whole(self, status, body, headers=None):
        """A complete response with a body of known length, an object or bytes."""
        self.status = status
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(f"Content-Length: {len(data)}")
        await self.raw(data)

    def cut(self):
        """Closes the connection as if the server had died; what was written still goes out."""
        self.request.connection.transport.close()


class ProviderServer:
    """Listens on a port of its own; `script` says what happens to which problem.

    `script` maps a word to a behaviour, an async function of an Exchange, or to a list of them, one a request, the last
    one for all further; the first word that the problem contains decides, and `otherwise` where none does.
    """

    def __init__(self, otherwise, script=None):
        self.otherwise = otherwise
        self.script = dict(script or {})
        self.connections = []
        self.requests = []
        # Of behaviours, which would else pass for the fault that they were to make.
        self.mistakes = []
        self.port = 0
        self._server = None
        self._uses = {}

    async def start(self, port=0):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self):
        self._server.close()
        for connection in self.connections:
            if connection.is_open:
                connection.transport.abort()

    def behaviour(self, request):
        word = next((word for word in self.script if word in request.problem), None)
        found = self.otherwise if word is None else self.script[word]
        if not isinstance(found, list):
            return found
        count = self._uses.get(word, 0)
        self._uses[word] = count + 1
        return found[min(count, len(found) - 1)]

    def about(self, word):
        """The requests whose problem contains `word`."""
        return [one for one in self.requests if word in one.problem]

    @property
    def open_connections(self):
        return [one for one in self.connections if one.is_open]
