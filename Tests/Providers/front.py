"""An nginx with TLS and HTTP/2 in front of a provider, as hosted providers have it."""

import contextlib
import socket
import subprocess
import tempfile
import time

from cluster import TIED, ClusterFailure, free_port

CONFIGURATION = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{ }}
http {{
    log_format protocol "$server_protocol $connection $status";
    access_log {folder}/access.log protocol;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 60s;
        }}
    }}
}}
"""


class Front:
    def __init__(self, folder, port):
        self.folder = folder
        self.port = port

    @property
    def certificate(self):
        return f"{self.folder}/certificate.pem"

    def served(self):
        """(protocol, connection's number, status) of each request that is over."""
        with open(f"{self.folder}/access.log", encoding="ascii") as file:
            return [tuple(line.split()) for line in file]


@contextlib.contextmanager
def front(behind):
    """Runs until the block ends."""
    with tempfile.TemporaryDirectory(prefix="lemma-front-") as folder:
        made = Front(folder, free_port())
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-keyout", f"{folder}/key.pem", "-out", made.certificate, "-days", "2", "-subj", "/CN=localhost"]
            + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True,
            capture_output=True,
            timeout=30,
        )
        with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=folder, port=made.port, behind=behind))
        with open(f"{folder}/nginx.log", "wb") as log:
            process = subprocess.Popen(
                [*TIED, "/usr/sbin/nginx", "-p", folder, "-c", f"{folder}/nginx.conf", "-e", "stderr"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            _wait(process, made)
            yield made
        finally:
            process.kill()
            process.wait()


def _wait(process, made, limit=20):
    deadline = time.monotonic() + limit
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", made.port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            with open(f"{made.folder}/nginx.log", encoding="utf-8") as log:
                raise ClusterFailure(f"nginx does not start: {log.read()}")
        time.sleep(0.02)
