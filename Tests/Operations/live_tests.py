"""A running Lemma as a scraper and a proxy see it: what is asked of Prometheus is there, and every proxy of docs/proxies
passes each token on at once.

LEMMA names the program, RENDERED the folder with the rules that extract_rules.py wrote.
"""

import http.client
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RENDERED = Path(os.environ["RENDERED"]).resolve()
PATIENCE = 60

# Below the ports that the system gives to outgoing connections.
HTTP, OPERATIONS, PROXY, PROMETHEUS = (random.randrange(20_000, 30_000, 10) + offset for offset in range(4))


class Process:
    """A program of the test's own, in the foreground of a folder of its own; its output is shown where it fails."""

    def __init__(self, folder, name, command, **environment):
        self.log = folder / f"{name}.log"
        variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **environment}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_for(self, url):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return get(url)
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"{url} does not answer: {self.log.read_text()}")


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
        return response.read()


def tokens(port):
    """Solves a problem as a stream; yields each token's time on the way in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    connection.request("POST", "/api/math/solve", body='{"problem": "2x + 3 = 7"}', headers=headers)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    is_token = False
    while line := response.readline():
        now = time.monotonic_ns()
        if line.startswith(b"event:"):
            is_token = line.split() == [b"event:", b"token"]
        elif line.startswith(b"data:") and is_token:
            # The mock's tokens say when they were made.
            yield (now - int(json.loads(line[5:])["text"].split()[-1])) / 1e6
    connection.close()


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        # PostgreSQL runs as another user where this is root.
        cls.folder.chmod(0o755)
        lemma = Process(
            cls.folder,
            "lemma",
            [Path(os.environ["LEMMA"]).resolve(), "dev"],
            AI_PROVIDERS="mock",
            MOCK_CONTENT="timestamps",
            MOCK_TOKENS="40",
            MOCK_TOKEN_DELAY="25ms",
            HTTP_HOST="127.0.0.1",
            HTTP_PORT=str(HTTP),
            OPS_HOST="127.0.0.1",
            OPS_PORT=str(OPERATIONS),
        )
        cls.addClassCleanup(lemma.stop)
        lemma.wait_for(f"http://127.0.0.1:{OPERATIONS}/readyz")

    def start(self, name, command):
        process = Process(self.folder, name, command)
        self.addCleanup(process.stop)
        return process


class Metrics(Live):
    def test_promtool_finds_nothing_to_say_about_them(self):
        metrics = get(f"http://127.0.0.1:{OPERATIONS}/metrics")
        check = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False)
        self.assertEqual((check.returncode, check.stderr.decode()), (0, ""))

    def test_prometheus_answers_every_expression_of_the_dashboard_and_no_alert_fires(self):
        # One process is both roles here.
        target = [{"targets": [f"127.0.0.1:{OPERATIONS}"]}]
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "5s"},
            "rule_files": [str(RENDERED / "alerts.yaml")],
            "scrape_configs": [{"job_name": f"lemma-{role}", "static_configs": target} for role in ("api", "worker")],
        }
        (self.folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        prometheus = self.start(
            "prometheus",
            [
                "prometheus",
                "--config.file=prometheus.yaml",
                "--storage.tsdb.path=tsdb",
                f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
            ],
        )
        prometheus.wait_for(f"http://127.0.0.1:{PROMETHEUS}/-/ready")
        groups = yaml.safe_load((RENDERED / "dashboard.yaml").read_text())["groups"]
        unanswered = [rule["expr"] for group in groups for rule in group["rules"]]
        deadline = time.monotonic() + PATIENCE
        while unanswered and time.monotonic() < deadline:
            list(tokens(HTTP))
            unanswered = [expression for expression in unanswered if not self.ask(expression)]
        self.assertEqual(unanswered, [])
        self.assertEqual(self.ask('ALERTS{alertstate="firing"}'), [])

    def ask(self, expression):
        query = urllib.parse.urlencode({"query": expression})
        return json.loads(get(f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?{query}"))["data"]["result"]


class Proxies(Live):
    """The files of docs/proxies with other addresses: both replicas are the one that runs."""

    def through(self, name, command, *replacements):
        text = (ROOT / "docs/proxies" / name).read_text()
        for old, new in (*replacements, ("api1:8080", f"127.0.0.1:{HTTP}"), ("api2:8080", f"127.0.0.1:{HTTP}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / name).write_text(text)
        self.start(name, command).wait_for(f"http://127.0.0.1:{PROXY}/")
        times = []
        streams = [threading.Thread(target=lambda: times.extend(tokens(PROXY))) for _ in range(8)]
        for stream in streams:
            stream.start()
        for stream in streams:
            stream.join()
        self.assertGreater(len(times), 8 * 20, "tokens come together with others, or not at all")
        times.sort()
        middle, most = times[len(times) // 2], times[len(times) * 95 // 100]
        print(f"{name}: token on the way, p50 {middle:.1f} ms, p95 {most:.1f} ms, max {times[-1]:.1f} ms")
        # A proxy that holds back does so with every token, for 200 ms or until its buffer is full; what takes longer
        # now and then is a busy machine's doing.
        self.assertLess(most, 50)

    def test_haproxy_passes_every_token_on_at_once(self):
        self.through(
            "haproxy.cfg",
            ["haproxy", "-db", "-f", "haproxy.cfg"],
            ("bind *:80", f"bind 127.0.0.1:{PROXY}"),
            ("port 9090", f"port {OPERATIONS}"),
        )

    def test_nginx_passes_every_token_on_at_once(self):
        options = f"daemon off; master_process off; pid {self.folder}/pid; error_log stderr;"
        self.through(
            "nginx.conf",
            ["nginx", "-c", f"{self.folder}/nginx.conf", "-e", "stderr", "-g", options],
            ("listen 80;", f"listen 127.0.0.1:{PROXY};"),
        )

    def test_caddy_passes_every_token_on_at_once(self):
        self.through(
            "Caddyfile",
            ["caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"],
            (":80 {", f"http://127.0.0.1:{PROXY} {{"),
            # Its way in for administrators is a fixed port, which may be taken.
            ("# Caddy before", "{\n\tadmin off\n}\n# Caddy before"),
            ("health_port 9090", f"health_port {OPERATIONS}"),
        )


if __name__ == "__main__":
    unittest.main()
