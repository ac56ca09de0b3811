"""Whether the Ingress means what docs/proxies/nginx.conf says, and whether all proxies leave Lemma its time."""

import re
import unittest

from manifests import OVERLAYS, named, text

PREFIX = "nginx.ingress.kubernetes.io/"

# The directive that each annotation of ingress-nginx ends up in, with what the controller writes where there is none.
DIRECTIVES = {
    "proxy-buffering": ("proxy_buffering", "off"),
    "proxy-http-version": ("proxy_http_version", "1.1"),
    "proxy-read-timeout": ("proxy_read_timeout", "60"),
    "proxy-send-timeout": ("proxy_send_timeout", "60"),
    "proxy-connect-timeout": ("proxy_connect_timeout", "5"),
    "proxy-body-size": ("client_max_body_size", "1m"),
    "proxy-next-upstream": ("proxy_next_upstream", "error timeout"),
    "proxy-next-upstream-tries": ("proxy_next_upstream_tries", "3"),
    "proxy-request-buffering": ("proxy_request_buffering", "on"),
}
# What nginx itself does where a directive is missing.
DEFAULTS = {"proxy_send_timeout": "60s", "proxy_request_buffering": "on"}
# What the controller writes by itself, or has no annotation for.
CONTROLLERS = {"proxy_pass", "proxy_set_header"}
# Annotations that say nothing of how a request is passed on.
OTHERS = {"ssl-redirect"}

# The longest answer to `Prefer: wait`, and after how long Lemma closes an idle connection, in seconds.
WAIT_MAX, IDLE_MAX = 60, 75


def directives():
    """{name: value} of the server of nginx.conf."""
    server = text("docs/proxies/nginx.conf").partition("server {")[2]
    lines = (line.strip() for line in server.split("\n"))
    return dict(line.rstrip(";").split(None, 1) for line in lines if re.match(r"\w+ .*;$", line))


def same(one, other):
    """Nginx reads a time without a unit in seconds."""
    return one.removesuffix("s") == other.removesuffix("s")


class Ingress(unittest.TestCase):
    def annotations(self, overlay):
        given = named(overlay, "Ingress", "lemma-api")["metadata"]["annotations"]
        return {name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)}

    def test_each_annotation_is_one_of_the_controllers_and_says_what_nginx_conf_says(self):
        wanted = DEFAULTS | directives()
        for overlay in OVERLAYS:
            given = self.annotations(overlay)
            self.assertLessEqual(given.keys(), DIRECTIVES.keys() | OTHERS, overlay)
            for annotation, (directive, default) in DIRECTIVES.items():
                value = given.get(annotation, default)
                self.assertTrue(same(value, wanted[directive]), f"{overlay}: {annotation} {value}, {wanted[directive]}")

    def test_nginx_conf_says_nothing_of_passing_on_that_the_ingress_leaves_out(self):
        passing = {name for name in directives() if name.startswith(("proxy_", "client_"))} - CONTROLLERS
        self.assertEqual(passing - {directive for directive, _ in DIRECTIVES.values()}, set())


class Times(unittest.TestCase):
    """What would need an hour to be seen: the live tests run the same files with shorter times."""

    def seconds(self, file, pattern):
        found = [int(value) for value in re.findall(pattern, text(f"docs/proxies/{file}"), re.MULTILINE)]
        self.assertTrue(found, f"{file}: nothing is {pattern}")
        return found

    def test_every_proxy_waits_longer_than_the_longest_answer_takes(self):
        times = self.seconds("haproxy.cfg", r"^ *timeout (?:client|server|tunnel) (\d+)s")
        times += self.seconds("nginx.conf", r"^ *proxy_read_timeout (\d+)s;")
        times += self.seconds("Caddyfile", r"^\s*response_header_timeout (\d+)s")
        self.assertEqual(len(times), 5)
        heartbeat = int(re.search(r"^\| `SSE_HEARTBEAT` \| `(\d+)s`", text("docs/configuration.md"), re.MULTILINE).group(1))
        self.assertGreater(min(times), max(WAIT_MAX, 3 * heartbeat))

    def test_no_proxy_keeps_a_connection_that_a_replica_may_just_have_closed(self):
        source = text("Sources/Runtime/HTTPServer/HTTPServerOptions.swift")
        self.assertIn(f"keepAliveTimeout = Duration.seconds({IDLE_MAX})", source)
        self.assertLess(max(self.seconds("Caddyfile", r"^\s*keepalive (\d+)s")), IDLE_MAX)
        # Nginx keeps them for 60 s, haproxy for 5 s, if not told otherwise.
        self.assertNotIn("keepalive_timeout", text("docs/proxies/nginx.conf"))
        self.assertNotIn("pool-purge-delay", text("docs/proxies/haproxy.cfg"))


if __name__ == "__main__":
    unittest.main()
