"""Submits problems for many callers and waits for each answer: the client of the benchmark of limits.

As a program, submissions.py PORT COUNT [LIMITS] registers accounts with an API key each, whose limits are LIMITS (JSON), and
has each of them submit one problem after the other through its key. Prints the number of answers as JSON once all are there.
"""

import asyncio
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Tests" / "ClusterSupport"))

from http_client import fetch  # noqa: E402

CALLERS = 16
PASSWORD = "correct horse battery staple"


class Refused(Exception):
    """An answer without which the measurement means nothing."""


async def ask(port, method, path, wanted, headers=None, body=None, source=None):
    status, _, document = await fetch(port, method, path, headers, body, timeout=30, source=source)
    if status != wanted:
        raise Refused(f"{method} {path}: {status} {document}")
    return document


async def caller(port, number, limits):
    """The headers of one account's API key."""
    identity = {"email": f"caller-{number}-{time.time_ns()}@example.org", "password": PASSWORD}
    await ask(port, "POST", "/api/auth/register", 201, body=identity)
    session = await ask(port, "POST", "/api/auth/login", 200, body=identity)
    headers = {"Authorization": f"Bearer {session['accessToken']}"}
    body = {"name": "benchmark"} | ({"limits": limits} if limits else {})
    key = await ask(port, "POST", "/api/keys", 201, headers, body)
    return {"Authorization": f"Bearer {key['key']}"}


async def submit(port, headers, count):
    headers = headers | {"Prefer": "wait=30"}
    for number in range(count):
        await ask(port, "POST", "/api/math/solve", 200, headers, {"problem": f"{number} + 1"})


async def main(port, count, limits):
    callers = [await caller(port, number, limits) for number in range(CALLERS)]
    # What begins with the first requests is not part of the measurement.
    await asyncio.gather(*(submit(port, headers, 5) for headers in callers))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    await asyncio.gather(*(submit(port, headers, count // CALLERS) for headers in callers))
    seconds = time.monotonic() - began
    print(json.dumps({"answers": count // CALLERS * CALLERS, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]) if len(sys.argv) > 3 else None))
