"""A network of the suite's own: a namespace in which the ways to Redis can lose, delay, cut and refuse packets.

`isolate()` puts this process and all its children into new network and mount namespaces, which end with the last of
them: nothing is left behind, whatever happens. Inside, each replica reaches Redis by a loopback address of its own,
so that packet filter rules can tell the ways apart.
"""

import ctypes
import errno
import itertools
import subprocess

from packet_queue import PacketQueue

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
# As on a real network: packets carry pieces of what one write gave.
MTU = 1500
DELAY = 0.08

queue = None
numbers = itertools.count(1)


class NotPermitted(Exception):
    """This user may not make namespaces."""


def isolate():
    """Enters a network with nothing but loopback, and a file system whose mounts no other process sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        if code == errno.EPERM:
            how = "run this as root, or with `unshare --map-root-user --net --mount` before it"
            raise NotPermitted(f"network namespaces are not permitted: {how}")
        raise OSError(code, "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", str(MTU)], check=True)
    # A socket without a reader is soon full.
    with open("/proc/sys/net/ipv4/tcp_wmem", "w", encoding="ascii") as file:
        file.write("4096 16384 65536")


def filter_packets(*rules):
    """Applies lines of iptables-restore(8), all or none."""
    text = "\n".join(["*filter", *rules, "COMMIT", ""])
    subprocess.run(["iptables-restore", "--noflush"], input=text.encode(), check=True)


class Way:
    """The packets from and to one loopback address: one replica's way to Redis, or one client's to a replica.

    One condition at a time; a new one takes the place of the one before.
    """

    def __init__(self):
        number = next(numbers)
        self.address = f"127.1.{number // 250}.{number % 250 + 1}"
        self.chain = f"way-{number}"
        filter_packets(
            f":{self.chain} - [0:0]",
            f"-A INPUT -d {self.address} -j {self.chain}",
            f"-A INPUT -s {self.address} -j {self.chain}",
        )

    def close(self):
        filter_packets(
            f"-D INPUT -d {self.address} -j {self.chain}",
            f"-D INPUT -s {self.address} -j {self.chain}",
            f"-F {self.chain}",
            f"-X {self.chain}",
        )

    def _set(self, *rules):
        filter_packets(f"-F {self.chain}", *(f"-A {self.chain} {rule}" for rule in rules))

    def hits(self):
        """How many packets the present condition has met."""
        listing = ["iptables", "--list", self.chain, "--numeric", "--verbose", "--exact"]
        lines = subprocess.run(listing, check=True, capture_output=True).stdout.decode().split("\n")[2:]
        return sum(int(line.split()[0]) for line in lines if line)

    def heal(self):
        self._set()

    def lose(self, share):
        """Loses this share of the packets."""
        self._set(f"-m statistic --mode random --probability {share} -j DROP")

    def delay(self):
        """Holds each packet back for 80 ms, in both directions, in order."""
        global queue
        if queue is None:
            queue = PacketQueue(DELAY)
        queue.attach()
        self._set(f"-j NFQUEUE --queue-num {queue.number}")

    def cut(self):
        """Loses everything in silence."""
        self._set("-j DROP")

    def cut_from(self):
        """Half open: what the address sends is lost, what is sent to it arrives."""
        self._set(f"-s {self.address} -j DROP")

    def cut_to(self):
        self._set(f"-d {self.address} -j DROP")

    def refuse(self):
        """Answers every packet with a reset, as a firewall does that has forgotten its connections."""
        self._set("-p tcp -j REJECT --reject-with tcp-reset")
