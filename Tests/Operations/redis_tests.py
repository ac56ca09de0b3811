"""k8s/base/redis.conf in real Redis servers: what it says is in force, and a primary without replicas refuses writes."""

import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "development"
PATIENCE = 20


class Server:
    """A private Redis with the manifests' configuration, on a free port of the loopback address."""

    def __init__(self, *arguments):
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "data").mkdir()
        (self.folder / "auth.conf").write_text(f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\n")
        configuration = (ROOT / "k8s/base/redis.conf").read_text()
        configuration = configuration.replace("/etc/redis-auth", str(self.folder))
        configuration = configuration.replace("dir /data", f"dir {self.folder}/data")
        (self.folder / "redis.conf").write_text(configuration)
        with socket.create_server(("127.0.0.1", 0)) as held:
            self.port = held.getsockname()[1]
        own = ["--port", str(self.port), "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            ["redis-server", str(self.folder / "redis.conf"), *own, *arguments], stdout=subprocess.DEVNULL
        )

    def __enter__(self):
        try:
            wait_until(lambda: self.call("PING") == "PONG", "Redis does not answer")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def call(self, *words):
        command = ["redis-cli", "-p", str(self.port), *words]
        environment = {"REDISCLI_AUTH": PASSWORD, "PATH": "/usr/bin:/bin"}
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return answer.stdout.strip()

    def setting(self, name):
        return self.call("CONFIG", "GET", name).split("\n")[-1]


def wait_until(condition, otherwise):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(0.05)


class Configuration(unittest.TestCase):
    def test_a_primary_writes_only_while_a_replica_follows(self):
        with Server() as primary:
            wanted = {
                "appendonly": "yes",
                "maxmemory-policy": "noeviction",
                "min-replicas-to-write": "1",
                "stream-node-max-bytes": "1024",
            }
            self.assertEqual({name: primary.setting(name) for name in wanted}, wanted)
            self.assertIn("NOREPLICAS", primary.call("SET", "key", "1"))
            with Server("--replicaof", "127.0.0.1", str(primary.port)) as replica:
                wait_until(lambda: primary.call("SET", "key", "1") == "OK", "a replica follows, and yet it refuses")
                wait_until(lambda: replica.call("GET", "key") == "1", "the replica does not get what is written")
            wait_until(lambda: "NOREPLICAS" in primary.call("SET", "key", "1"), "the replica is gone, and yet it writes")


if __name__ == "__main__":
    unittest.main()
