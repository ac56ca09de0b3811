"""What each role tells a scraper, before and after it has worked: every metric of docs/metrics.md and no other, in both
formats, and everything that the dashboard, the alerts and the autoscalers ask for."""

import json
import re
import subprocess
import time
import unittest
import urllib.request

from catalogue import documented
from manifests import ROOT
from processes import PATIENCE, get
from prometheus_client.openmetrics import parser
from stack import Stack
from streams import Stream, submit

ROLES = {"api1": "api", "worker1": "worker"}
# With tracing on, so that there are exemplars; the port of discard has no listener.
SETTINGS = {
    "AI_PROVIDERS": "mock",
    "MOCK_TOKENS": "40",
    "MOCK_TOKEN_DELAY": "5ms",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
}
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(**SETTINGS))
        cls.stack.start(*ROLES)
        cls.fresh = {name: cls.text(name) for name in ROLES}
        cls.work()

    @classmethod
    def text(cls, name, **headers):
        url = f"http://{cls.stack.at(name, 'operations')}/metrics"
        return get(urllib.request.Request(url, headers=headers)).decode()

    @classmethod
    def work(cls):
        host, port = cls.stack.at("api1", "http").split(":")
        for _ in range(3):
            assert Stream(host, int(port), "POST", "/api/math/solve", {"problem": "2x + 3 = 7"}).finish() == "completed"
        assert Stream(host, int(port), "GET", submit(host, int(port))).finish() == "completed"

    def test_each_role_shows_what_the_catalogue_lists_for_it_from_its_start_on(self):
        for name, role in ROLES.items():
            types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", self.fresh[name], re.MULTILINE))
            self.assertEqual(types, documented(role), role)
            samples = set(re.findall(r"^(\w+)[ {]", self.fresh[name], re.MULTILINE))
            for metric, kind in types.items():
                self.assertIn(metric + ("_count" if kind == "histogram" else ""), samples)

    def test_promtool_finds_nothing_to_say_about_them(self):
        for name in ROLES:
            command = ["promtool", "check", "metrics"]
            check = subprocess.run(command, input=self.text(name).encode(), capture_output=True, check=False)
            self.assertEqual((check.returncode, check.stderr.decode()), (0, ""), name)

    def test_the_official_parser_reads_the_same_out_of_open_metrics(self):
        for name, role in ROLES.items():
            text = self.text(name, Accept=OPEN_METRICS)
            families = {family.name: family for family in parser.text_string_to_metric_families(text)}
            expected = {metric.removesuffix("_total"): kind for metric, kind in documented(role).items()}
            self.assertEqual({each.name: each.type for each in families.values()}, expected, role)
            for family in families.values():
                self.assertTrue(family.samples, family.name)
                self.assertTrue(not family.unit or family.name.endswith("_" + family.unit))

    def test_the_times_that_students_feel_have_exemplars_in_open_metrics_only(self):
        families = parser.text_string_to_metric_families(self.text("api1", Accept=OPEN_METRICS))
        found = {family.name: [sample.exemplar for sample in family.samples if sample.exemplar] for family in families}
        for name in ("lemma_event_delivery", "lemma_request_first_token", "lemma_http_request_duration"):
            self.assertTrue(found[name + "_seconds"], name)
            for exemplar in found[name + "_seconds"]:
                self.assertRegex(exemplar.labels["trace_id"], "^[0-9a-f]{32}$")
                self.assertLess(abs(time.time() - float(exemplar.timestamp)), PATIENCE * 10)
        self.assertNotIn("trace_id", self.text("api1"))

    def test_everything_that_is_asked_for_is_there(self):
        places = ["k8s/base/monitoring/alerts.yaml", "k8s/overlays/production", "k8s/base"]
        found = [json.loads((ROOT / "k8s/base/monitoring/dashboard.json").read_text())["panels"]]
        texts = [json.dumps(found)]
        for place in places:
            path = ROOT / place
            texts += [each.read_text() for each in ([path] if path.is_file() else path.glob("*.yaml"))]
        asked = set(re.findall(r"\b(?:lemma|process)_[a-z_]+[a-z]\b", " ".join(texts)))
        there = set(re.findall(r"^(\w+)[ {]", "\n".join(self.text(name) for name in ROLES), re.MULTILINE))
        self.assertGreater(len(asked), 50)
        self.assertEqual(asked - there, set())

    def test_work_is_seen(self):
        self.assertEqual(self.stack.metric("api1", "lemma_streams_opened_total"), 4)
        self.assertEqual(self.stack.metric("api1", "lemma_streams_ended_total"), 4)
        self.assertGreaterEqual(self.stack.metric("api1", "lemma_event_delivery_seconds_count"), 4)
        self.assertEqual(self.stack.metric("api1", "lemma_request_first_token_seconds_count"), 4)
        for name in ROLES:
            self.until(name, "lemma_ready", lambda value: value == 1)
            self.until(name, "lemma_loop_lag_seconds_count", lambda value: value > 1)
            self.until(name, "lemma_loop_idle_seconds_total", lambda value: value > 0)

    def until(self, name, metric, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds(self.stack.metric(name, metric)):
            self.assertLess(time.monotonic(), deadline, f"{name}: {metric} is {self.stack.metric(name, metric)}")
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
