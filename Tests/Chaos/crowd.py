"""Thousands of viewers at once, on plain sockets: too many for a task each. Blocking: run it on a thread of its own."""

import re
import select
import socket
import struct
import time

TEXT = re.compile(rb'data: \{"text":"([^"]*)"\}')
ID = re.compile(rb"\nid: ([0-9]+-[0-9]+)\n")
# Ends with a reset instead of an orderly end.
ABORT = struct.pack("ii", 1, 0)


class Viewer:
    """One connection that watches one request."""

    def __init__(self, path, cursor=""):
        self.path = path
        self.cursor = cursor
        self.received = bytearray()
        self.socket = None

    def body(self):
        """What has come of the event stream, without the framing."""
        head = self.received.find(b"\r\n\r\n")
        data, at, parts = bytes(self.received), head + 4, []
        while head >= 0 and (end := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:end], 16)
            parts.append(data[end + 2 : end + 2 + size])
            at = end + 4 + size
        return b"".join(parts)

    def text(self):
        return b"".join(TEXT.findall(self.body())).decode()

    def last_id(self):
        found = ID.findall(self.body())
        return found[-1].decode() if found else self.cursor


class Crowd:
    """Connections to one API replica; `receive_buffer` in bytes makes readers that soon take no more."""

    def __init__(self, port, receive_buffer=None):
        self.port = port
        self.receive_buffer = receive_buffer
        self.viewers = []

    def open(self, viewers):
        for number, viewer in enumerate(viewers):
            one = socket.socket()
            if self.receive_buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            one.settimeout(20)
            # Several addresses, as many people have.
            one.bind((f"127.0.2.{number % 8 + 1}", 0))
            one.connect(("127.0.0.1", self.port))
            cursor = f"Last-Event-ID: {viewer.cursor}\r\n" if viewer.cursor else ""
            one.sendall(f"GET {viewer.path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{cursor}\r\n".encode())
            one.setblocking(False)
            viewer.socket = one
            self.viewers.append(viewer)

    def read(self, until, limit):
        """Takes what comes until `until(self)` or all have ended; false when the limit in seconds was over before."""
        poll = select.epoll()
        open_ones = {viewer.socket.fileno(): viewer for viewer in self.viewers}
        for number in open_ones:
            poll.register(number, select.EPOLLIN)
        deadline = time.monotonic() + limit
        try:
            while open_ones and not until(self):
                if time.monotonic() > deadline:
                    return False
                for number, _ in poll.poll(0.05):
                    viewer = open_ones[number]
                    try:
                        data = viewer.socket.recv(1 << 18)
                    except BlockingIOError:
                        continue
                    except OSError:
                        data = b""
                    viewer.received += data
                    if not data:
                        poll.unregister(number)
                        del open_ones[number]
            return True
        finally:
            poll.close()

    def leave(self):
        """All at once, every second one with a reset."""
        for number, viewer in enumerate(self.viewers):
            if number % 2:
                viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            viewer.socket.close()
        self.viewers = []
