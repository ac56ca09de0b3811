"""k8s/base/redis.conf and what docs/operations.md does with Redis, in real servers."""

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
        self.command = ["redis-server", str(self.folder / "redis.conf"), *own, *arguments]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.call("PING") == "PONG", "Redis does not answer")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def call(self, *words, password=PASSWORD):
        command = ["redis-cli", "-p", str(self.port), *words]
        environment = {"REDISCLI_AUTH": password, "PATH": "/usr/bin:/bin"}
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return answer.stdout.strip()

    def setting(self, name):
        return self.call("CONFIG", "GET", name).split("\n")[-1]

    def follow(self, other):
        self.call("REPLICAOF", "127.0.0.1", str(other.port))

    def follows(self):
        return "master_link_status:up" in self.call("INFO", "replication")

    def restart(self):
        self.process.kill()
        self.process.wait()
        self.start()


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


class Procedures(unittest.TestCase):
    def test_the_fail_over_and_the_way_home_keep_what_was_written(self):
        with Server() as first, Server() as second, Server() as third:
            second.follow(first)
            third.follow(first)
            wait_until(lambda: second.follows() and third.follows(), "the replicas do not follow")
            wait_until(lambda: first.call("SET", "before", "1") == "OK", "the primary refuses")
            wait_until(lambda: second.call("GET", "before") == "1", "the replica does not get what is written")
            first.process.kill()

            second.call("REPLICAOF", "NO", "ONE")
            third.follow(second)
            wait_until(lambda: second.call("SET", "meanwhile", "1") == "OK", "the promoted replica refuses")

            first.restart()
            first.follow(second)
            wait_until(first.follows, "the old primary does not follow")
            second.call("FAILOVER", "TO", "127.0.0.1", str(first.port))
            wait_until(lambda: "role:master" in first.call("INFO", "replication"), "the old primary is none again")
            third.follow(first)
            wait_until(lambda: first.call("SET", "after", "1") == "OK", "the old primary refuses")
            self.assertEqual(first.call("MGET", "before", "meanwhile").split(), ["1", "1"])

    def test_a_password_changes_without_a_moment_in_which_one_is_refused(self):
        with Server() as primary, Server() as replica:
            replica.follow(primary)
            for server in (primary, replica):
                server.call("ACL", "SETUSER", "default", ">new")
            replica.call("CONFIG", "SET", "masterauth", "new")
            wait_until(replica.follows, "the replica does not follow")
            for password in (PASSWORD, "new"):
                self.assertEqual(primary.call("PING", password=password), "PONG")
            for server in (primary, replica):
                server.call("ACL", "SETUSER", "default", f"<{PASSWORD}", password="new")
            self.assertIn("NOAUTH", primary.call("PING"))
            self.assertEqual(primary.call("PING", password="new"), "PONG")


if __name__ == "__main__":
    unittest.main()
