"""Writes what promtool reads into the folder RENDERED: the alerts out of their PrometheusRule, and every expression of the
dashboard as a rule, so that a mistake in one is found."""

import json
import os
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RENDERED = Path(os.environ["RENDERED"])


def write(name, groups):
    (RENDERED / name).write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))


write("alerts.yaml", yaml.safe_load((ROOT / "k8s/base/monitoring/alerts.yaml").read_text())["spec"]["groups"])

panels = json.loads((ROOT / "k8s/base/monitoring/dashboard.json").read_text())["panels"]
expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
rules = [
    {"record": f"dashboard:{number}", "expr": expression.replace("$__rate_interval", "5m")}
    for number, expression in enumerate(expressions)
]
write("dashboard.yaml", [{"name": "dashboard", "rules": rules}])
