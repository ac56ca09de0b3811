"""The rendered overlays and the repository's files, as the tests read them.

RENDERED names the folder in which scripts/test-operations has put the overlays, LEMMA the program.
"""

import functools
import os
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RENDERED = Path(os.environ["RENDERED"]).resolve()
LEMMA = Path(os.environ["LEMMA"]).resolve()
# The last one is production with every component.
OVERLAYS = ("dev", "production", "components")


def text(path):
    return (ROOT / path).read_text()


@functools.cache
def documents(overlay):
    return list(yaml.load_all((RENDERED / f"{overlay}.yaml").read_text(), Loader=yaml.CSafeLoader))


def of_kind(overlay, *kinds):
    return [document for document in documents(overlay) if document["kind"] in kinds]


def named(overlay, kind, name):
    return next(document for document in of_kind(overlay, kind) if document["metadata"]["name"] == name)


def container(workload):
    return workload["spec"]["template"]["spec"]["containers"][0]


def environment(workload):
    """The variables that a container is given one by one; None for what comes out of a Secret or of its limits."""
    return {entry["name"]: entry.get("value") for entry in container(workload).get("env", [])}


def pod_files(overlay, workload):
    """{path in the container: text} of the files that its ConfigMaps give it."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(overlay, "ConfigMap")}
    volumes = {each["name"]: each for each in workload["spec"]["template"]["spec"].get("volumes", [])}
    files = {}
    for mount in container(workload).get("volumeMounts", []):
        name = volumes[mount["name"]].get("configMap", {}).get("name")
        files |= {f"{mount['mountPath']}/{file}": content for file, content in maps.get(name, {}).items()}
    return files


def compose():
    """docker-compose.yaml, its anchors followed, its variables not."""
    return yaml.safe_load(text("docker-compose.yaml"))


def interpolated(value, variables=None):
    """`${NAME:-default}` as Compose reads it."""
    variables = variables or {}
    return re.sub(r"\$\{(\w+):-(.*?)\}", lambda match: variables.get(match[1]) or match[2], str(value))


def compose_settings(service, variables=None):
    given = compose()["services"][service].get("environment", {})
    return {name: interpolated(value, variables) for name, value in given.items()}
