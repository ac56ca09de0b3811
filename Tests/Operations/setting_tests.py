"""Whether Lemma understands every setting that the compose file, the manifests and the Dockerfile give it."""

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from manifests import LEMMA, OVERLAYS, ROOT, compose, compose_settings, container, environment, of_kind, pod_files, text

# What the Secrets hold in the cluster.
SECRETS = {
    "REDIS_URL": "redis://:secret@redis-primary:6379/0",
    "DATABASE_URL": "postgres://lemma:secret@192.0.2.1:5432/lemma?sslmode=verify-full",
    "JWT_SECRET": "a secret of at least thirty-two bytes",
    "OPENAI_API_KEY": "key",
    "GEMINI_API_KEY": "key",
}


def pod_settings(overlay, workload):
    """What a container of Lemma has in its environment, as Kubernetes puts it together."""
    settings = {}
    for source in container(workload).get("envFrom", []):
        name = source["configMapRef"]["name"]
        data = next(each["data"] for each in of_kind(overlay, "ConfigMap") if each["metadata"]["name"] == name)
        settings |= data
    for name, value in environment(workload).items():
        entry = next(each for each in container(workload)["env"] if each["name"] == name)
        if value is None and "secretKeyRef" in entry["valueFrom"]:
            value = SECRETS[entry["valueFrom"]["secretKeyRef"]["key"]]
        elif value is None:
            limit = entry["valueFrom"]["resourceFieldRef"]["resource"].removeprefix("limits.")
            value = container(workload)["resources"]["limits"][limit]
        settings[name] = value
    return settings


class Settings(unittest.TestCase):
    def understood(self, role, settings, place, files=None):
        """Lemma's own reading of them; in a `.env`, it warns of a name that it does not know.

        `files` are those of the container, which are put elsewhere here.
        """
        with tempfile.TemporaryDirectory() as folder:
            for number, (path, content) in enumerate((files or {}).items()):
                here = Path(folder, str(number))
                here.write_text(content)
                settings = {name: str(here) if value == path else value for name, value in settings.items()}
            lines = [f"{name}='{value}'\n" for name, value in settings.items()]
            Path(folder, ".env").write_text("".join(lines))
            command = [LEMMA, "config", "--role", role, "--json"]
            found = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
        self.assertEqual(found.returncode, 0, f"{place}: {found.stderr}")
        answer = json.loads(found.stdout)
        self.assertEqual(answer["warnings"], [], place)
        taken = {row["name"] for row in answer["settings"] if row["source"] != "default"}
        self.assertEqual(taken, {name for name, value in settings.items() if value}, place)

    def test_of_the_compose_file(self):
        for service in ("migrate", "api1", "api2", "worker"):
            role = compose()["services"][service]["command"][0]
            role = "worker" if role == "migrate" else role
            self.understood(role, compose_settings(service), service)
            models = {"AI_PROVIDERS": "openai,gemini,local", "OPENAI_MODEL": "o", "GEMINI_MODEL": "g"}
            keys = {"OPENAI_BASE_URL": "http://127.0.0.1/v1", "OPENAI_API_KEY": "key", "GEMINI_API_KEY": "key"}
            self.understood(role, compose_settings(service, models | keys), service)

    def test_of_the_manifests(self):
        for overlay in OVERLAYS:
            found = [each for each in of_kind(overlay, "Deployment") if container(each)["image"].split(":")[0].endswith("lemma")]
            self.assertEqual(len(found), 2)
            for workload in found:
                role = container(workload)["args"][0]
                files = pod_files(overlay, workload)
                self.understood(role, pod_settings(overlay, workload), f"{overlay}: {role}", files)

    def test_a_name_or_a_value_that_lemma_does_not_know_is_found(self):
        for wrong in ({"SSE_HEARBEAT": "15s"}, {"SSE_HEARTBEAT": "15 parsecs"}):
            with self.assertRaises(AssertionError):
                self.understood("api", SECRETS | {"AI_PROVIDERS": "local"} | wrong, "wrong")

    def test_all_other_places_name_only_settings_of_lemmas(self):
        known = set(re.findall(r"^\| `([A-Z_]+)`", text("docs/configuration.md"), re.MULTILINE))
        for overlay in OVERLAYS:
            for job in of_kind(overlay, "Job"):
                self.assertLessEqual(environment(job).keys(), known, f"{overlay}: {job['metadata']['name']}")
            for secret in of_kind(overlay, "Secret"):
                if secret["metadata"]["name"].startswith("lemma-secrets"):
                    self.assertLessEqual(secret.get("stringData", secret.get("data")).keys(), known, overlay)
        given = set(re.findall(r"^(?:ENV|ARG) ([A-Z_]+)", text("Dockerfile"), re.MULTILINE))
        self.assertLessEqual(given - {"PATH"}, known)
        manual = re.findall(r"--from-literal=([A-Z_]+)=", text("docs/operations.md"))
        self.assertTrue(manual)
        self.assertLessEqual(set(manual), known)
        for path in sorted((ROOT / "k8s").rglob("lemma.env")):
            self.assertLessEqual(set(re.findall(r"^([A-Z_]+)=", path.read_text(), re.MULTILINE)), known, path)


if __name__ == "__main__":
    unittest.main()
