"""What `docker compose up` would start, started here: the same commands, settings and files, and problems solved for users
who were made as its first lines say."""

import json
import re
import time
import unittest
import urllib.parse
import urllib.request

import yaml
from manifests import text
from processes import PATIENCE, get
from proxies import configured
from stack import Stack
from streams import Stream

LEMMAS = ("api1", "api2", "worker1", "worker2")
PASSWORD = "correct horse battery"


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(accounts=True)
        cls.stack.__enter__()
        cls.addClassCleanup(cls.stack.__exit__)
        cls.stack.start(*LEMMAS)

    def test_the_proxy_leads_to_a_lemma_that_solves_and_all_ends_in_its_grace(self):
        settings = self.stack.mounted("proxy", "/usr/local/etc/haproxy/haproxy.cfg").read_text()
        port, operations = self.stack.ports["proxy"], self.stack.ports["operations"]
        settings = configured("haproxy", self.stack.here(settings), self.stack.folder, port, operations)
        (self.stack.folder / "haproxy.cfg").write_text(settings)
        proxy = self.stack.run("proxy", ["haproxy", "-db", "-f", "haproxy.cfg"])
        self.assertIn(b"<html", proxy.wait_for(f"http://127.0.0.1:{port}/"))
        self.stack.call("migrate", *self.first_administrator(), given=PASSWORD + "\n")
        url = f"http://127.0.0.1:{port}"
        self.post(f"{url}/api/auth/register", email="student@example.org", password=PASSWORD)
        for email, roles in (("you@example.org", ["admin", "student"]), ("student@example.org", ["student"])):
            token = self.post(f"{url}/api/auth/login", email=email, password=PASSWORD)["accessToken"]
            stream = Stream("127.0.0.1", port, "POST", "/api/math/solve", {"problem": "2x + 3 = 7"}, token=token)
            self.assertEqual(stream.finish(), "completed")
            self.assertIn("x = 2", "".join(part for _, part in stream.tokens.values()))
            me = urllib.request.Request(f"{url}/api/auth/me", headers={"Authorization": f"Bearer {token}"})
            self.assertEqual(sorted(json.loads(get(me))["roles"]), roles)
        self.scraped()
        for name in LEMMAS:
            self.assertEqual(self.stack.processes[name].stop(), 0, name)

    def first_administrator(self):
        """The words after the service's name, as the compose file's first lines have them."""
        line = re.search(r"^# +docker compose run --rm migrate (.+?) +#", text("docker-compose.yaml"), re.MULTILINE)
        return line[1].split()

    def post(self, url, **body):
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.loads(get(request))

    def scraped(self):
        """Prometheus finds all replicas; their names, which are not resolved here, stand for addresses."""
        settings = yaml.safe_load(self.stack.mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text())
        for job in settings["scrape_configs"]:
            (found,) = job.pop("dns_sd_configs")
            self.assertEqual((found["type"], found["port"]), ("A", 9090))
            replicas = [replica for name in found["names"] for replica in self.stack.replicas(name)]
            job["static_configs"] = [{"targets": [self.stack.at(replica, "operations") for replica in replicas]}]
        (self.stack.folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        address = self.stack.at("prometheus", "prometheus")
        arguments = ["--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb", f"--web.listen-address={address}"]
        prometheus = self.stack.run("prometheus", ["prometheus", *arguments])
        query = urllib.parse.quote("sum by (job) (up)")
        deadline, up = time.monotonic() + PATIENCE, {}
        prometheus.wait_for(f"http://{address}/-/ready")
        while time.monotonic() < deadline and up != {"lemma-api": "2", "lemma-worker": "2"}:
            answer = json.loads(get(f"http://{address}/api/v1/query?query={query}"))["data"]["result"]
            up = {each["metric"]["job"]: each["value"][1] for each in answer}
            time.sleep(0.2)
        self.assertEqual(up, {"lemma-api": "2", "lemma-worker": "2"})

    def test_grafana_finds_prometheus_and_the_dashboard(self):
        source = yaml.safe_load(self.stack.mounted("grafana", SOURCES).read_text())["datasources"][0]
        host, port = urllib.parse.urlsplit(source["url"]).netloc.split(":")
        self.assertIn(host, self.stack.services)
        self.assertTrue(any(each.endswith(f":{port}") for each in self.stack.services[host]["ports"]))
        provider = yaml.safe_load(self.stack.mounted("grafana", PROVIDERS).read_text())["providers"][0]
        home = self.stack.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertEqual(home.rpartition("/")[0], provider["options"]["path"])
        self.assertTrue(json.loads(self.stack.mounted("grafana", home).read_text())["panels"])

    def test_names_and_ports_are_those_that_the_mounted_files_use(self):
        self.assertLessEqual({"api1", "api2"}, self.stack.services.keys())
        self.assertIn("EXPOSE 8080 9090", text("Dockerfile"))
        self.assertEqual(self.stack.services["proxy"]["ports"], ["127.0.0.1:8080:80"])


SOURCES = "/etc/grafana/provisioning/datasources/lemma.yaml"
PROVIDERS = "/etc/grafana/provisioning/dashboards/lemma.yaml"


if __name__ == "__main__":
    unittest.main()
