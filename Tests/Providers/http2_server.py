"""An OpenAI-style provider over TLS and HTTP/2 that answers or breaks as told, and counts what it is asked."""

import asyncio
import json
import ssl
import subprocess
import tempfile

import h2.config
import h2.connection
import h2.errors
import h2.events

from dialects import OpenAI


def certificate(folder):
    """Makes one for localhost; its file and that of its key."""
    files = (f"{folder}/certificate.pem", f"{folder}/key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", files[1], "-out", files[0], "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return files


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server = server
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections += 1
        self.http.initiate_connection()
        self.flush()

    def data_received(self, data):
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.StreamEnded):
                self.server.requests += 1
                fault = self.server.faults.pop(0) if self.server.faults else None
                self.answer(event.stream_id) if fault is None else self.fail(fault, event.stream_id)
        self.flush()

    def flush(self):
        if not self.transport.is_closing():
            self.transport.write(self.http.data_to_send())

    def answer(self, stream):
        self.http.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        chunks = [OpenAI().text("4"), *OpenAI().last()]
        data = "".join(f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n" for one in chunks)
        self.http.send_data(stream, data.encode(), end_stream=True)

    def fail(self, fault, stream):
        if fault == "refused":
            self.http.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        elif fault == "goaway":
            # No stream was looked at, it says, and a client may ask all again.
            self.http.close_connection(last_stream_id=0)
            self.flush()
            self.transport.close()
        elif fault == "reset":
            self.http.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        elif fault == "http11":
            self.http.reset_stream(stream, h2.errors.ErrorCodes.HTTP_1_1_REQUIRED)
        else:
            self.transport.abort()


class HTTP2Server:
    """`faults` are used up one a request; afterwards it answers."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="lemma-http2-")
        self.certificate, key = certificate(self.folder.name)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.context.set_alpn_protocols(["h2"])
        self.faults = []
        self.requests = 0
        self.connections = 0
        self.port = 0
        self.server = None

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self.server.close()
        self.folder.cleanup()
