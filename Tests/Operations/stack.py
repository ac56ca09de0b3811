"""The processes of docker-compose.yaml on this machine, without an engine: each service with the command, the environment
and the files that are written there, under an address of its own."""

import glob
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from manifests import LEMMA, ROOT, compose, compose_settings
from processes import Process, free_ports, get

# The ports inside the containers, each of which becomes one that is free here.
PORTS = {"http": 8080, "operations": 9090, "redis": 6379, "postgres": 5432, "proxy": 80, "prometheus": 9090}


# For tests of something else: every caller is the same user, and no limit applies.
WITHOUT_ACCOUNTS = {"AUTH_REQUIRED": "false", "RATE_LIMIT_SOLVE": "off"}


class Stack:
    """`with Stack() as stack`; `settings` go over those of the compose file. Leaves nothing behind.

    With `accounts` it asks for them, as the compose file does.
    """

    def __init__(self, accounts=False, **settings):
        self.services = compose()["services"]
        self.settings = settings if accounts else WITHOUT_ACCOUNTS | settings
        self.ports = free_ports(PORTS)
        network = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        # The service of each container.
        self.containers = {name: service for service in self.services for name in self.replicas(service)}
        self.addresses = {name: f"{network}.{number}" for number, name in enumerate(self.containers, 2)}
        self.processes = {}
        self.folder = Path(tempfile.mkdtemp())
        # PostgreSQL runs as another user where this is root.
        self.folder.chmod(0o755)

    def replicas(self, service):
        """The names of a service's containers, which is its own where there is but one."""
        count = self.services[service].get("deploy", {}).get("replicas", 1)
        return [service] if count == 1 else [f"{service}{number}" for number in range(1, count + 1)]

    def __enter__(self):
        try:
            self.start_redis()
            self.start_postgres()
            self.migrate()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes.values()):
            process.process.kill()
            process.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def at(self, name, port):
        return f"{self.addresses[name]}:{self.ports[port]}"

    def run(self, name, command, **environment):
        self.processes[name] = Process(self.folder, name, command, **environment)
        return self.processes[name]

    def start_redis(self):
        own = ["--port", str(self.ports["redis"]), "--bind", self.addresses["redis"], "--dir", str(self.folder)]
        redis = self.run("redis", [*self.services["redis"]["command"], *own])
        redis.wait_until(lambda: self.redis("PING") == "PONG", "no PONG")

    def start_postgres(self):
        given = self.services["postgres"]["environment"]
        # That of scripts/throwaway-postgres.
        assert given["POSTGRES_USER"] == "lemma"
        own = [str(self.folder), str(self.ports["postgres"]), f"listen_addresses={self.addresses['postgres']}"]
        postgres = self.run("postgres", [ROOT / "scripts/throwaway-postgres", *own])
        postgres.wait_until(lambda: self.sql(f"CREATE DATABASE {given['POSTGRES_DB']}") is not None, "no database")

    def database(self, name, user="lemma"):
        return f"postgres://{user}@{self.at('postgres', 'postgres')}/{name}"

    def sql(self, text, database="postgres"):
        """What psql prints; None where it fails. The superuser is `lemma`."""
        psql = max(glob.glob("/usr/lib/postgresql/*/bin/psql"))
        command = [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text, self.database(database)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def environment(self, name):
        """A container's variables, with its neighbours' addresses for their names."""
        variables = {key: self.here(value) for key, value in compose_settings(self.containers[name]).items()}
        variables |= {"HTTP_HOST": self.addresses[name], "HTTP_PORT": str(self.ports["http"])}
        variables |= {"OPS_HOST": self.addresses[name], "OPS_PORT": str(self.ports["operations"])}
        return variables | self.settings

    def here(self, text):
        """With the addresses that stand here for the names and ports of containers."""
        for name, port in (("redis", "redis"), ("postgres", "postgres"), ("api1", "http"), ("api2", "http")):
            text = re.sub(rf"\b{name}:{PORTS[port]}\b", self.at(name, port), text)
        return text

    def migrate(self, **settings):
        self.call("migrate", *self.services["migrate"]["command"], **settings)

    def call(self, name, *words, given="", **settings):
        """What Lemma prints that is run with these words and this input in place of a container's command."""
        environment = self.environment(name) | settings
        command = [LEMMA, *words]
        done = subprocess.run(
            command, env=environment, cwd=self.folder, input=given, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def start(self, *names, **settings):
        """Starts replicas of Lemma and waits until they are ready."""
        for name in names:
            command = self.services[self.containers[name]]["command"]
            self.run(name, [LEMMA, *command], **self.environment(name) | settings)
        for name in names:
            self.processes[name].wait_for(f"http://{self.at(name, 'operations')}/readyz")

    def mounted(self, service, target):
        """The file of the repository that a container sees as `target`."""
        volumes = [volume.split(":") for volume in self.services[service]["volumes"]]
        return next((ROOT / source for source, place, *_ in volumes if place == target))

    def redis(self, *words):
        command = ["redis-cli", "-h", self.addresses["redis"], "-p", str(self.ports["redis"]), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def metric(self, name, metric):
        """The sum of a metric's series at a replica; 0 where there are none."""
        lines = get(f"http://{self.at(name, 'operations')}/metrics").decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{metric}[ {{]", line))

