"""Programs of a test's own, which end with it."""

import os
import random
import socket
import subprocess
import time
import urllib.request

PATIENCE = 60


class Process:
    """A program in the foreground of a folder of its own; its output is shown where it fails."""

    def __init__(self, folder, name, command, **environment):
        self.name = name
        self.log = folder / f"{name}.log"
        variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **environment}
        with self.log.open("a") as log:
            # Ends with this process, however that ends.
            command = ["setpriv", "--pdeathsig", "KILL", *command]
            self.process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT)

    def stop(self):
        """Tells it to end as an engine does; gives its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def wait_for(self, url):
        return self.wait_until(lambda: get(url), f"{url} does not answer")

    def wait_until(self, probe, otherwise):
        """Asks until there is something true to give back; an OSError is an answer, too."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if found := probe():
                    return found
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"{self.name}: {otherwise}: {self.log.read_text()}")


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return response.read()


def free_ports(names):
    """Ports that are free on every address, below those that the system gives to outgoing connections."""
    found = {}
    for name in names:
        while name not in found:
            port = random.randrange(20_000, 32_000)
            with socket.socket() as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    continue
            if port not in found.values():
                found[name] = port
    return found
