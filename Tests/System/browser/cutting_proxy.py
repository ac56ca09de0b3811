"""A TCP proxy on 127.0.0.1 that on command cuts its connections, refuses new ones, or answers in the server's place."""

import contextlib
import socket
import threading


class CuttingProxy:
    """Forwards to `(host, port)`; `url` is where it listens. A context manager."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.lock = threading.Lock()
        self.pairs = set()
        self.refusing = False
        self.substitutes = []
        self.requests = []
        self.lost = []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def cut(self):
        """Cuts every open connection on both sides; returns how many."""
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for end in pair:
                close(end)
        return len(pairs)

    def refuse(self, refusing):
        """From now on closes (or, with False, again takes) new connections."""
        self.refusing = refusing

    def substitute(self, request_line_start, answer, after_forwarding=False):
        """Lets the next request that begins so get `answer` instead of the server's, and then closes its connection.

        With `after_forwarding` the server does get the request; its answer goes to `lost` instead of the client.
        """
        with self.lock:
            self.substitutes.append((request_line_start.encode(), answer.encode(), after_forwarding))

    def count(self, request_line_start):
        """How many requests began so, as far as each came in one piece at the start of what the client sent."""
        with self.lock:
            return sum(line.startswith(request_line_start.encode()) for line in self.requests)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                close(client)
                continue
            try:
                server = socket.create_connection(self.target)
            except OSError:
                close(client)
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            threading.Thread(target=self.forward, args=(pair,), daemon=True).start()
            threading.Thread(target=self.backward, args=(pair,), daemon=True).start()

    def forward(self, pair):
        client, server = pair
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                with self.lock:
                    self.requests.append(data.split(b"\r\n", 1)[0])
                    found = next((s for s in self.substitutes if data.startswith(s[0])), None)
                    if found is not None:
                        self.substitutes.remove(found)
                if found is None:
                    server.sendall(data)
                    continue
                self.answer(found, pair, data)
                return
        self.end(pair)

    def answer(self, substitute, pair, data):
        _, answer, after_forwarding = substitute
        client, server = pair
        with self.lock:
            self.pairs.discard(pair)
        if after_forwarding:
            # Over a connection of its own, so that the answer has no way to the client.
            with socket.create_connection(self.target) as other:
                other.settimeout(10)
                other.sendall(data)
                received = b""
                while not received.endswith(b"}") and (more := other.recv(65536)):
                    received += more
                self.lost.append(received.decode())
        client.sendall(answer)
        close(client)
        close(server)

    def backward(self, pair):
        client, server = pair
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        self.end(pair)

    def end(self, pair):
        with self.lock:
            known = pair in self.pairs
            self.pairs.discard(pair)
        if known:
            for end in pair:
                close(end)


def close(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
