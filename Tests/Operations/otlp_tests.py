"""What a collector of traces gets from an API and a worker replica while a problem is solved."""

import http.client
import http.server
import json
import secrets
import threading
import time
import unittest

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from otlp import Sink, attributes
from processes import PATIENCE
from stack import Stack
from streams import Stream

PROBLEM = "Find the pangolin number: 2x + 3 = 7"
ANSWER = "The ocelot answer is x = 2"
KEY = f"sk-{secrets.token_hex(16)}"
COLLECTOR_KEY = f"ck-{secrets.token_hex(16)}"


class Provider(http.server.BaseHTTPRequestHandler):
    """A server of OpenAI's dialect that gives one answer; keeps the fields of what it was asked."""

    protocol_version = "HTTP/1.0"
    asked = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Provider.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in ANSWER.split():
            self.event({"choices": [{"index": 0, "delta": {"content": f"{word} "}}]})
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, value):
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())

    def log_message(self, *_):
        pass


class Traces(unittest.TestCase):
    def setUp(self):
        Provider.asked.clear()
        provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        self.addCleanup(provider.server_close)
        self.addCleanup(provider.shutdown)
        self.sink = self.enterContext(Sink())
        self.stack = self.enterContext(
            Stack(
                AI_PROVIDERS="openai",
                OPENAI_BASE_URL=f"http://127.0.0.1:{provider.server_port}/v1",
                OPENAI_API_KEY=KEY,
                OPENAI_MODEL="pangolin-1",
                AI_SEND_TRACEPARENT="on",
                OTEL_EXPORTER_OTLP_ENDPOINT=self.sink.url,
                OTEL_EXPORTER_OTLP_HEADERS=f"x-collector-key={COLLECTOR_KEY}",
            )
        )
        self.stack.start("api1", "worker1")

    def solve(self, **fields):
        """Solves the problem, and reads the answer's stream; gives the ticket for it."""
        host, port = self.stack.addresses["api1"], self.stack.ports["http"]
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        body = json.dumps({"problem": PROBLEM})
        connection.request("POST", "/api/math/solve", body=body, headers={"Content-Type": "application/json", **fields})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        self.assertEqual(response.status, 202, text)
        path = json.loads(text)["streamUrl"]
        stream = Stream(host, port, "GET", path)
        self.assertEqual(stream.finish(), "completed")
        self.assertEqual("".join(part for _, part in stream.tokens.values()).strip(), ANSWER)
        return path.partition("ticket=")[2]

    def stop(self):
        for name in ("api1", "worker1"):
            self.assertEqual(self.stack.processes[name].stop(), 0, name)

    def test_one_trace_goes_from_the_client_through_both_roles_to_the_provider(self):
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        begin = time.time_ns()
        ticket = self.solve(traceparent=f"00-{trace}-{parent}-01", tracestate="pangolin=7,other=x")
        self.stop()
        end = time.time_ns()
        spans = [entry for entry in self.sink.spans() if entry[2].trace_id.hex() == trace]
        by_kind = {span.kind: (resource, span) for resource, _, span in spans}
        self.assertEqual(len(by_kind), len(spans), [span.name for *_, span in spans])
        chain = [Span.SPAN_KIND_SERVER, Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER, Span.SPAN_KIND_CLIENT]
        self.assertEqual(set(by_kind), set(chain))
        before = begin
        for kind, role in zip(chain, ("api", "api", "worker", "worker"), strict=True):
            resource, span = by_kind[kind]
            with self.subTest(span.name):
                self.assertEqual(span.parent_span_id.hex(), parent)
                self.assertEqual(span.trace_state, "pangolin=7,other=x")
                self.assertEqual(span.flags & 1, 1)
                # One clock for all; a clock that is set meanwhile is not an error of the product.
                self.assertLessEqual(before, span.start_time_unix_nano)
                self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
                self.assertLessEqual(span.end_time_unix_nano, end)
                self.assertEqual(span.status.code, Status.STATUS_CODE_UNSET)
                self.assertEqual(len(span.links), 0)
                self.assert_resource(resource, role)
            parent, before = span.span_id.hex(), span.start_time_unix_nano
        self.assertEqual(len({span.span_id for *_, span in spans}), len(spans))
        # The provider's own spans would continue the call.
        (asked,) = Provider.asked
        self.assertEqual(asked["traceparent"], f"00-{trace}-{parent}-01")
        self.assertNotIn("tracestate", asked)
        call = attributes(by_kind[Span.SPAN_KIND_CLIENT][1])
        self.assertEqual((call["gen_ai.request.model"], call["server.address"]), ("pangolin-1", "127.0.0.1"))
        self.assertEqual({scope for _, scope, _ in spans}, {"lemma"})
        self.assertTrue(all(fields["x-collector-key"] == COLLECTOR_KEY for fields in self.sink.fields))
        self.assert_discreet(ticket)

    def assert_resource(self, resource, role):
        name = f"{role}1"
        self.assertEqual(resource["service.name"], f"lemma-{role}")
        self.assertEqual(resource["process.pid"], self.stack.processes[name].process.pid)
        self.assertEqual(resource["telemetry.sdk.language"], "swift")
        for key in ("service.version", "service.instance.id", "host.name", "telemetry.sdk.name", "telemetry.sdk.version"):
            self.assertTrue(resource[key], key)
        instances = {each["service.instance.id"] for each, *_ in self.sink.spans()}
        self.assertEqual(len(instances), 2)

    def assert_discreet(self, ticket):
        """Nothing of what was asked and answered, and nothing that opens a door, is in anything that was sent."""
        settings = self.stack.environment("api1")
        words = ["pangolin number", "ocelot", "2x + 3", PROBLEM, ANSWER, ticket, KEY, COLLECTOR_KEY, settings["JWT_SECRET"]]
        everything = b"".join(self.sink.bodies).decode()
        for word in words:
            self.assertTrue(word)
            self.assertNotIn(word, everything)

    def test_what_the_client_does_not_sample_is_not_exported_but_goes_on_to_the_provider(self):
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        self.solve(traceparent=f"00-{trace}-{parent}-00")
        self.stop()
        # The stream's own trace is kept, and links to the one that is not.
        self.assertEqual([span.name for *_, span in self.sink.spans() if span.trace_id.hex() == trace], [])
        self.assertEqual([link.trace_id.hex() for *_, span in self.sink.spans() for link in span.links], [trace])
        self.assertRegex(Provider.asked[0]["traceparent"], f"^00-{trace}-[0-9a-f]{{16}}-00$")

    def test_a_collector_that_hangs_is_noticed_neither_by_students_nor_by_the_end(self):
        self.sink.answers.clear()
        for _ in range(20):
            self.solve()
        begin = time.monotonic()
        self.stop()
        # Both roles' flushes, one after the other, and their drains.
        self.assertLess(time.monotonic() - begin, 20)
        self.assertTrue(self.sink.bodies)


if __name__ == "__main__":
    unittest.main()
