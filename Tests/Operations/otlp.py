"""A collector of traces that checks what it is sent against OpenTelemetry's own definitions."""

import base64
import contextlib
import http.server
import json
import re
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


class Sink:
    """`with Sink() as sink`; keeps every body that came to `/v1/traces`."""

    def __init__(self):
        self.bodies = []
        self.fields = []
        # Not set: requests are taken and get no answer.
        self.answers = threading.Event()
        self.answers.set()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"sink": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.answers.set()
        self.server.shutdown()
        self.server.server_close()

    def spans(self):
        """Each span that came, with the attributes of its resource."""
        for body in list(self.bodies):
            for resource_spans in parsed(body).resource_spans:
                resource = attributes(resource_spans.resource)
                for scope_spans in resource_spans.scope_spans:
                    for span in scope_spans.spans:
                        yield resource, scope_spans.scope.name, span


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
        self.sink.bodies.append(body)
        self.sink.fields.append(dict(self.headers))
        self.sink.answers.wait()
        # Who asked may be gone by then.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def parsed(body):
    """The request of a body; fails where it is not OTLP's JSON, which is Protobuf's but for the ids and the names."""
    return json_format.Parse(json.dumps(translated(json.loads(body))), ExportTraceServiceRequest())


def translated(value, key=None):
    """With ids in base64, as Protobuf's mapping has bytes."""
    if isinstance(value, dict):
        # Protobuf's parser would take snake_case as well; OTLP does not.
        assert not any("_" in name for name in value), value.keys()
        return {name: translated(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [translated(member) for member in value]
    if key in IDS:
        assert re.fullmatch(f"[0-9a-f]{{{IDS[key]}}}", value) and int(value, 16), (key, value)
        return base64.b64encode(bytes.fromhex(value)).decode()
    if key in ("kind", "code", "flags"):
        assert isinstance(value, int), (key, value)
    if key in ("startTimeUnixNano", "endTimeUnixNano", "intValue"):
        assert isinstance(value, str), (key, value)
    return value


def attributes(owner):
    """{key: value} of a resource or a span, in which each key is there once."""
    values = {}
    for attribute in owner.attributes:
        assert attribute.key not in values, attribute.key
        kind = attribute.value.WhichOneof("value")
        values[attribute.key] = getattr(attribute.value, kind)
    return values
