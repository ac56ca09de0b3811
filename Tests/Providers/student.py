"""A student of the suite: asks, and reads the answer's stream with the time of each event."""

import json
import time
from dataclasses import dataclass, field

from http_client import Closed, fetch, send

TERMINAL = ("completed", "failed", "cancelled")


@dataclass
class Event:
    """Received at `at`, monotonic seconds."""

    at: float
    id: str
    name: str
    data: dict


@dataclass
class Transcript:
    """What the student saw; `asked_at` is when the request was sent."""

    asked_at: float
    id: str = ""
    status: int = 0
    problem: dict | None = None
    events: list = field(default_factory=list)

    def named(self, *names):
        return [event for event in self.events if event.name in names]

    @property
    def answer(self):
        """The text since the last marker that says to drop the text so far."""
        parts = []
        for event in self.events:
            if event.name in ("restarted", "reset"):
                parts = []
            elif event.name == "token":
                parts.append(event.data["text"])
        return "".join(parts)

    @property
    def reasoning(self):
        return "".join(event.data["text"] for event in self.named("reasoning"))

    @property
    def end(self):
        """The terminal event's data, with its name as `event`."""
        found = self.named(*TERMINAL)
        return {"event": found[0].name, **found[0].data} if found else {"event": "none"}

    @property
    def first_token_after(self):
        """Seconds from asking to the first token; None without one."""
        found = self.named("token", "reasoning")
        return found[0].at - self.asked_at if found else None


async def ask(api, problem, silence=30, on_event=None, **members):
    """Posts `problem` and reads the answer's stream to its end; `on_event` is called with each event.

    Raises TimeoutError after `silence` seconds without a byte.
    """
    transcript = Transcript(time.monotonic())
    headers = {"Accept": "text/event-stream"}
    response = await send(api.port, "POST", "/api/math/solve", headers, {"problem": problem, **members}, silence)
    try:
        transcript.status = response.status
        if response.status != 200:
            transcript.problem = json.loads(await response.body())
            return transcript
        transcript.id = response.headers["location"].rsplit("/", 1)[1]
        try:
            async for id, name, data in response.events(silence):
                event = Event(time.monotonic(), id, name, json.loads(data))
                transcript.events.append(event)
                if on_event:
                    on_event(event)
        except Closed:
            pass
        return transcript
    finally:
        response.close()


async def abort(api, id):
    """Status of the answer to the abort."""
    status, _, _ = await fetch(api.port, "DELETE", f"/api/math/requests/{id}")
    return status


async def record(api, id):
    """The finished request, as the API tells it."""
    _, _, body = await fetch(api.port, "GET", f"/api/math/requests/{id}")
    return body
