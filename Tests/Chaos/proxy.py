"""haproxy as docs/proxies sets it up, before replicas that come and go."""

import asyncio
import os
import re
import subprocess

from cluster import ROOT, TIED, ClusterFailure, free_port

CONFIGURATION = f"{ROOT}/docs/proxies/haproxy.cfg"


class Proxy:
    """Knows each replica from the beginning and gives it clients once it says to be ready."""

    def __init__(self, folder, replicas):
        self.name = "proxy"
        self.port = free_port()
        self.socket = f"{folder}/haproxy.sock"
        self.path = f"{folder}/haproxy.cfg"
        with open(CONFIGURATION, encoding="utf-8") as file:
            lines = file.read().split("\n")
        kept = [line for line in lines if not re.match(r"\s+server ", line)]
        text = "\n".join(kept).rstrip().replace("bind *:80", f"bind 127.0.0.1:{self.port}").replace(" port 9090", "")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(f"global\n    stats socket {self.socket} level admin\n{text}\n")
            for one in replicas:
                file.write(f"    server {one.name} 127.0.0.1:{one.port} port {one.ops_port}\n")
        self.process = subprocess.Popen([*TIED, "haproxy", "-db", "-q", "-f", self.path], stdin=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()

    async def ask(self, words):
        reader, writer = await asyncio.open_unix_connection(self.socket)
        writer.write(f"{words}\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.decode()

    async def is_up(self, replica):
        rows = (await self.ask("show servers state api")).split("\n")[2:]
        fields = next((row.split() for row in rows if f" {replica.name} " in row), None)
        if fields is None:
            raise ClusterFailure(f"haproxy does not know {replica.name}: {rows}")
        # srv_op_state 2 is running.
        return fields[5] == "2"

    async def take_away(self, replica):
        """Gives it no new clients, as when a pod is taken from its Service; open connections stay."""
        await self.ask(f"set server api/{replica.name} state drain")

    async def up(self, replicas, limit=30):
        for _ in range(limit * 10):
            if os.path.exists(self.socket) and all([await self.is_up(one) for one in replicas]):
                return
            await asyncio.sleep(0.1)
        raise ClusterFailure("haproxy finds no replica that is ready")
