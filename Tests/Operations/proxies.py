"""The proxies of docs/proxies in front of a stack's API replicas: the files as they are, with this machine's addresses."""

import re

from manifests import ROOT

NAMES = ("haproxy", "nginx", "caddy")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
FILES = {"haproxy": "haproxy.cfg", "nginx": "nginx.conf", "caddy": "Caddyfile"}


def configured(name, text, folder, port, operations):
    """A file's text with this machine's ports, and nothing of what only one process may have."""
    own = f"127.0.0.1:{port}"
    replacements = {
        "haproxy": [("bind *:80", f"bind {own}"), ("port 9090", f"port {operations}")],
        "nginx": [
            ("listen 80;", f"listen {own};"),
            # Where it may write without being root.
            ("http {", "http {\n" + "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)),
        ],
        "caddy": [
            (":80 {", f"http://{own} {{"),
            ("health_port 9090", f"health_port {operations}"),
            # Its way in for administrators is a fixed port, which may be taken.
            ("# Caddy before", "{\n\tadmin off\n}\n# Caddy before"),
        ],
    }
    for old, new in replacements[name]:
        assert old in text, f"{FILES[name]} has no {old}"
        text = text.replace(old, new)
    return text


def start(name, stack, port, *replacements, operations=None):
    """Starts one on a port of 127.0.0.1; `replacements` are further changes of its file, patterns and what takes their place.

    `operations` is the port that says whether a replica is ready, if not that of the stack's.
    """
    text = (ROOT / "docs/proxies" / FILES[name]).read_text()
    for pattern, new in replacements:
        text, count = re.subn(pattern, new, text)
        assert count, f"{FILES[name]} has nothing like {pattern}"
    path = stack.folder / f"{port}.{FILES[name]}"
    text = configured(name, stack.here(text), stack.folder, port, operations or stack.ports["operations"])
    path.write_text(text)
    options = f"daemon off; master_process off; pid {stack.folder}/{port}.pid; error_log stderr;"
    command = {
        "haproxy": ["haproxy", "-db", "-f", path],
        "nginx": ["nginx", "-c", path, "-e", "stderr", "-g", options],
        "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", path],
    }
    process = stack.run(f"{name}-{port}", command[name])
    process.wait_for(f"http://127.0.0.1:{port}/")
    return process
