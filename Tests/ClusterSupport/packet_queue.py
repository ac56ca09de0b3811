"""Delays packets that the packet filter hands over (`-j NFQUEUE`, linux/netfilter/nfnetlink_queue.h)."""

import asyncio
import socket
import struct

NETLINK_NETFILTER = 12
SUBSYSTEM_QUEUE = 3 << 8
PACKET, VERDICT, CONFIGURE = SUBSYSTEM_QUEUE, SUBSYSTEM_QUEUE | 1, SUBSYSTEM_QUEUE | 2
REQUEST = 1
# Attributes of CONFIGURE: a command, what to copy, the longest queue.
COMMAND, PARAMETERS, LENGTH_MAX = 1, 2, 3
BIND = 1
COPY_META = 1
# Attributes of PACKET and VERDICT.
PACKET_HEADER, VERDICT_HEADER = 1, 2
ACCEPT = 1


class PacketQueue:
    """Lets every packet go on after `delay` seconds, in the order in which they came; `number` is the queue's."""

    number = 1

    def __init__(self, delay):
        self.delay = delay
        self.loop = None
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._send(CONFIGURE, COMMAND, struct.pack(">BxH", BIND, 0))
        self._send(CONFIGURE, PARAMETERS, struct.pack(">IB", 0, COPY_META))
        self._send(CONFIGURE, LENGTH_MAX, struct.pack(">I", 1 << 16))

    def attach(self):
        """Serves on the running event loop from now on."""
        loop = asyncio.get_running_loop()
        if self.loop is not loop:
            self.loop = loop
            loop.add_reader(self.socket, self._receive)

    def _send(self, kind, attribute, value):
        body = struct.pack(">BBH", 0, 0, self.number)
        body += struct.pack("=HH", 4 + len(value), attribute) + value + b"\0" * (-len(value) % 4)
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST, 0, 0) + body)

    def _receive(self):
        try:
            data = self.socket.recv(1 << 16)
        except OSError:
            # More came than the socket holds: those are lost, as on a network.
            return
        at = 0
        while at + 20 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == PACKET:
                self._take(data[at + 20 : at + length])
            at += (length + 3) & ~3

    def _take(self, attributes):
        at = 0
        while at + 4 <= len(attributes):
            length, kind = struct.unpack_from("=HH", attributes, at)
            if kind & 0x7FFF == PACKET_HEADER:
                (number,) = struct.unpack_from(">I", attributes, at + 4)
                self.loop.call_later(self.delay, self._accept, number)
                return
            at += (length + 3) & ~3

    def _accept(self, number):
        try:
            self._send(VERDICT, VERDICT_HEADER, struct.pack(">II", ACCEPT, number))
        except OSError:
            pass
