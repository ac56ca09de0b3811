"""What no general checker knows: that the manifests, the rules, the dashboard and the program mean the same things."""

import json
import re
import unittest

import yaml
from catalogue import samples
from manifests import OVERLAYS, compose, container, environment, named, of_kind, pod_files, text

# What may follow DRAIN_GRACE at the longest, in seconds: what APIService, WorkerService and PersisterService have for their
# drain beyond it, five for each service to close, and three for TracingService's last spans.
CLOSING = {"api": 3 + 3 * 5 + 3, "worker": 9 + 6 + 4 * 5 + 3}

SECONDS = {"s": 1, "m": 60}
BYTES = {"mb": 2**20, "gb": 2**30, "Mi": 2**20, "Gi": 2**30}


def quantity(value, units):
    number, unit = re.fullmatch(r"(\d+)(\w*)", value).groups()
    return int(number) * units.get(unit, 1)


def selects(selector, labels):
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    expressions = selector.get("matchExpressions", [])
    return all(labels.get(each["key"]) in each["values"] for each in expressions if each["operator"] == "In")


class Workloads(unittest.TestCase):
    def test_a_pod_has_the_time_to_drain_before_it_is_killed(self):
        for overlay in OVERLAYS:
            for component, closing in CLOSING.items():
                workload = named(overlay, "Deployment", f"lemma-{component}")
                stop = container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
                drain = quantity(environment(workload)["DRAIN_GRACE"], SECONDS)
                grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
                self.assertLessEqual(stop + drain + closing, grace, f"{overlay}: {component}")

    def test_a_laptops_container_has_that_time_too(self):
        grace = quantity(compose()["x-lemma"]["stop_grace_period"], SECONDS)
        drain = re.search(r"^\| `DRAIN_GRACE` \| `(\w+)`", text("docs/configuration.md"), re.MULTILINE).group(1)
        self.assertLessEqual(quantity(drain, SECONDS) + max(CLOSING.values()), grace)

    def test_every_selector_finds_a_pod_and_every_named_port_is_one_of_its(self):
        for overlay in OVERLAYS:
            pods = [
                workload["spec"]["template"]
                for workload in of_kind(overlay, "Deployment", "StatefulSet", "Job")
            ]
            for document in of_kind(overlay, "Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
                name = f"{overlay}: {document['kind']} {document['metadata']['name']}"
                spec = document["spec"]
                selector = spec.get("podSelector", spec.get("selector"))
                if document["kind"] == "Service":
                    # Given to each pod of a StatefulSet by Kubernetes itself.
                    selector = {k: v for k, v in selector.items() if k != "statefulset.kubernetes.io/pod-name"}
                    selector = {"matchLabels": selector}
                found = [pod for pod in pods if selects(selector, pod["metadata"]["labels"])]
                self.assertTrue(found, f"{name} selects no pod")
                wanted = [port["targetPort"] for port in spec.get("ports", [])]
                wanted += [port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])]
                wanted += [endpoint["port"] for endpoint in spec.get("podMetricsEndpoints", [])]
                for pod in found:
                    ports = {port["name"] for port in pod["spec"]["containers"][0].get("ports", [])}
                    missing = {port for port in wanted if isinstance(port, str)} - ports
                    self.assertFalse(missing, f"{name}: no port {missing}")

    def test_every_image_of_lemma_has_its_version(self):
        source = text("Sources/Lemma/Composition/ReplicaDependencies.swift")
        version = re.search(r'static let version = "(.+)"', source).group(1)
        images = [
            container(workload)["image"] for overlay in OVERLAYS for workload in of_kind(overlay, "Deployment", "Job")
        ]
        images.append(compose()["x-lemma"]["image"])
        for image in images:
            self.assertRegex(image, rf"(^|/)lemma:{re.escape(version)}$")

    def test_production_brings_no_secret(self):
        self.assertEqual(of_kind("production", "Secret"), [])

    def test_every_overlay_wants_accounts(self):
        for overlay in OVERLAYS:
            for document in of_kind(overlay, "ConfigMap"):
                self.assertNotIn("AUTH_REQUIRED", document["data"], overlay)

    def test_a_file_that_a_setting_names_is_mounted(self):
        api = named("components", "Deployment", "lemma-api")
        self.assertIn(environment(api)["AUTH_ISSUERS"], pod_files("components", api))

    def test_redis_may_fill_half_of_its_memory(self):
        limits = {}
        for overlay in OVERLAYS:
            redis = container(named(overlay, "StatefulSet", "redis"))
            settings = next(each for each in of_kind(overlay, "ConfigMap") if "redis.conf" in each["data"])
            # The command line's option wins.
            stated = re.search(r"--maxmemory (\w+)", redis["args"][0]) or re.search(
                r"^maxmemory (\w+)$", settings["data"]["redis.conf"], re.MULTILINE
            )
            limits[overlay] = redis["resources"]["limits"]["memory"]
            self.assertEqual(2 * quantity(stated.group(1), BYTES), quantity(limits[overlay], BYTES), overlay)
        self.assertEqual(limits, {"dev": "1Gi", "production": "6Gi", "components": "6Gi"})


class Autoscaling(unittest.TestCase):
    def test_workers_follow_waiting_and_running_jobs_below_what_they_can_take(self):
        triggers = {each["name"]: each for each in named("production", "ScaledObject", "lemma-worker")["spec"]["triggers"]}
        stream = triggers["waiting-and-running"]["metadata"]
        slots = int(environment(named("production", "Deployment", "lemma-worker"))["WORKER_CONCURRENCY"])
        self.assertLess(int(stream["streamLength"]), 0.8 * slots)
        for name in ("waiting-and-running-everywhere", "running"):
            self.assertEqual(stream["streamLength"], triggers[name]["metadata"]["threshold"])

    def test_the_stream_and_the_address_are_those_of_redis(self):
        keys = text("Sources/Adapters/Infrastructure/Messaging/Redis/Keyspace.swift")
        pattern = re.search(r'func jobs\(_ partition: Int\) -> String \{ "(.+)" \}', keys).group(1)
        trigger = named("production", "ScaledObject", "lemma-worker")["spec"]["triggers"][0]["metadata"]
        self.assertEqual(trigger["stream"], pattern.replace(r"\(partition)", "0"))
        service, namespace = trigger["address"].split(".")[:2]
        self.assertEqual(named("production", "Service", service)["metadata"]["namespace"], namespace)


class Monitoring(unittest.TestCase):
    def rules(self):
        groups = named("production", "PrometheusRule", "lemma")["spec"]["groups"]
        return {rule["alert"]: rule for group in groups for rule in group["rules"]}

    def expressions(self):
        found = [rule["expr"] for rule in self.rules().values()]
        panels = json.loads(text("k8s/base/monitoring/dashboard.json"))["panels"]
        found += [target["expr"] for panel in panels for target in panel.get("targets", [])]
        triggers = named("production", "ScaledObject", "lemma-worker")["spec"]["triggers"]
        found += [trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"]
        metrics = named("production", "HorizontalPodAutoscaler", "lemma-api")["spec"]["metrics"]
        found += [metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods"]
        return found

    def test_every_metric_asked_for_is_one_of_lemmas(self):
        known = samples()
        for expression in self.expressions():
            for name in re.findall(r"\b(?:lemma|process)_\w+", expression):
                self.assertIn(name, known, expression)

    def test_every_alert_has_a_runbook(self):
        headings = {line.lower() for line in re.findall(r"^### (\w+)$", text("docs/operations.md"), re.MULTILINE)}
        self.assertEqual({alert.lower() for alert in self.rules()}, headings)
        for alert, rule in self.rules().items():
            self.assertEqual(rule["annotations"]["runbook"], f"docs/operations.md#{alert.lower()}")

    def test_every_alert_is_tested_to_fire_and_not_to(self):
        cases = yaml.safe_load(text("Tests/Operations/alerts.test.yaml"))["tests"]
        checks = [check for case in cases for check in case["alert_rule_test"]]
        fires = {check["alertname"] for check in checks if check["exp_alerts"]}
        quiet = {check["alertname"] for check in checks if not check["exp_alerts"]}
        self.assertEqual(fires, set(self.rules()))
        self.assertEqual(quiet, set(self.rules()))


if __name__ == "__main__":
    unittest.main()
