"""A student's side of a stream: submitted and read line by line, each with the time at which it came."""

import http.client
import json
import threading
import time

PATIENCE = 60


class Stream:
    """One response that is an event stream, read by a thread of its own until it ends."""

    def __init__(self, host, port, method, path, problem=None, token=None):
        self.tokens = {}
        self.heartbeats = 0
        self.end = None
        self.path = None
        self.connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        # As browsers say; who compresses holds events back.
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate, br"}
        body = None
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if problem is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(problem)
        self.connection.request(method, path, body=body, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert "Content-Encoding" not in self.response.headers
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        event, token = b"", ""
        try:
            while line := self.response.readline():
                now = time.monotonic_ns()
                name, _, value = line.rstrip().partition(b": ")
                if line.startswith(b":"):
                    self.heartbeats += 1
                elif name == b"id":
                    token = value.decode()
                elif name == b"event":
                    event = value
                elif name == b"data" and event == b"token":
                    self.tokens[token] = (now, json.loads(value)["text"])
                elif name == b"data" and event in (b"completed", b"failed", b"cancelled"):
                    self.end = event.decode()
        except OSError:
            self.end = self.end or "cut"

    def finish(self):
        """Waits for the last event; gives its name, `cut` or None where the response ended without one."""
        self.thread.join(PATIENCE)
        self.response.close()
        self.connection.close()
        return self.end

    def delays(self):
        """{event id: ms from the provider's clock to here}, with a mock whose tokens are the time of their making."""
        return {name: (now - int(text.split()[-1])) / 1e6 for name, (now, text) in self.tokens.items()}


def submit(host, port, **options):
    """Submits a problem; gives the path of its stream."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    body = json.dumps({"problem": "2x + 3 = 7", "options": options})
    connection.request("POST", "/api/math/solve", body=body, headers={"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert response.status == 202, text
    return json.loads(text)["streamUrl"]
