"""A running Lemma as a scraper sees it: what is asked of Prometheus is there.

LEMMA names the program, RENDERED the folder with the rules that extract_rules.py wrote.
"""

import json
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.parse
from pathlib import Path

import yaml
from manifests import LEMMA, RENDERED
from processes import PATIENCE, Process, free_ports, get
from streams import Stream

PORTS = free_ports(("http", "operations", "prometheus"))
HTTP, OPERATIONS, PROMETHEUS = PORTS.values()


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
            [LEMMA, "dev"],
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
            Stream("127.0.0.1", HTTP, "POST", "/api/math/solve", {"problem": "2x + 3 = 7"}).finish()
            unanswered = [expression for expression in unanswered if not self.ask(expression)]
        self.assertEqual(unanswered, [])
        self.assertEqual(self.ask('ALERTS{alertstate="firing"}'), [])

    def ask(self, expression):
        query = urllib.parse.urlencode({"query": expression})
        return json.loads(get(f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?{query}"))["data"]["result"]


if __name__ == "__main__":
    unittest.main()
