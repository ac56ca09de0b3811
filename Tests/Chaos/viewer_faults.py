"""Faults of viewers: who vanishes, who does not read, and who leave in thousands. Run: chaos.py faults"""

import asyncio
import time

from cluster import Cluster
from crowd import Crowd, Viewer
from faults import NOTES, becomes, fault, metric, students, submit, under_way, unless
from http_client import fetch, send
from nemesis import HOUR
from network import Way
from workload import TERMINAL


@fault
async def vanished_client():
    """a client whose network vanishes without a word counts as a viewer for three heartbeats more, then the grace"""
    settings = {"DISCONNECT_GRACE": "500ms", "MOCK_TOKENS": "5000"}
    async with Cluster(apis=1, workers=1, settings=settings) as cluster:
        api, way = cluster.apis[0], Way()
        body = {"problem": "a b c", "options": {"onDisconnect": "cancel"}}
        _, headers, _ = await fetch(api.port, "POST", "/api/math/solve", body=body)
        path = headers["location"]
        stream = await send(api.port, "GET", path.replace("requests", "stream"), source=way.address)
        try:
            async for _, name, _ in stream.events():
                if name == "token":
                    break
            way.cut()
            start = time.monotonic()

            async def is_cancelled():
                return (await fetch(api.port, "GET", path))[2]["status"] == "cancelled"

            cancelled = await becomes(is_cancelled, 15)
            took = time.monotonic() - start
            left = await metric(api, "lemma_streams_active")
        finally:
            stream.close()
            way.close()
        NOTES["vanished_client"] = [f"cancelled after {took:.1f} s"]
        return unless(
            (cancelled and took < 6, f"not cancelled after {took:.1f} s"),
            (took > 1.4, f"cancelled after {took:.1f} s already: three heartbeats are 1.5 s"),
            (left == 0, f"{left} streams are left"),
        )


@fault
async def watched_over_a_clock_jump():
    """Redis' clock jumps an hour ahead: a watched request does not count as abandoned, and one without viewers afterwards does"""
    settings = {"DISCONNECT_GRACE": "500ms", "MOCK_TOKENS": "5000", "STREAM_TTL_LIVE": "3h", "JOB_MAX_ATTEMPTS": "9"}
    async with Cluster(apis=1, workers=1, settings=settings, has_clocks=True) as cluster:
        api = cluster.apis[0]
        body = {"problem": "a b c", "options": {"onDisconnect": "cancel"}}
        _, headers, _ = await fetch(api.port, "POST", "/api/math/solve", body=body)
        path = headers["location"]
        stream = await send(api.port, "GET", path.replace("requests", "stream"))
        names, begun, has_jumped = [], time.monotonic(), False
        async for _, name, _ in stream.events(3):
            names.append(name)
            if time.monotonic() > begun + 1 and not has_jumped:
                cluster.redis_clock.set(HOUR)
                has_jumped = True
            # For longer than a viewer's word counts, and the grace.
            if name in TERMINAL or time.monotonic() > begun + 8:
                break
        stream.close()
        left = time.monotonic()

        async def is_cancelled():
            return (await fetch(api.port, "GET", path))[2]["status"] == "cancelled"

        cancelled = await becomes(is_cancelled, 10)
        return unless(
            (names[-1] == "token", f"a watched request ended with {names[-1]}"),
            (cancelled and time.monotonic() < left + 5, "one that was left is not cancelled"),
        )


@fault
async def mass_disconnect():
    """5,000 viewers leave at once, and come back: they miss nothing, who stayed notices nothing, nothing is left"""
    count, requests, words = 5000, 50, 20
    problems = [f"crowd{number} " + " ".join(f"w{i}" for i in range(words)) for number in range(requests)]
    settings = {"EVENT_LOOPS": "2", "SSE_HEARTBEAT": "5s", "AI_IDLE_TIMEOUT": "60s", "MOCK_TOKEN_DELAY": "40ms"}
    # Their answers stop before the end, and wait for however long the crowd takes.
    script = f"hang:{words} when crowd\n"
    async with Cluster(apis=1, workers=1, settings=settings, script=script) as cluster:
        api = cluster.apis[0]
        base = api.measure()
        async with students(cluster, words=200) as session:
            await under_way(session)
            urls = [(await submit(session, api, problem))["streamUrl"] for problem in problems]
            crowd = Crowd(api.port)
            viewers = [Viewer(urls[number % requests]) for number in range(count)]
            await asyncio.to_thread(crowd.open, viewers)
            began = await asyncio.to_thread(crowd.read, lambda _: all(b"token" in v.received for v in viewers), 30)
            most = api.measure()
            await asyncio.to_thread(crowd.leave)

            async def has_left():
                return await metric(api, "lemma_streams_active") <= len(session.plans)

            left = await becomes(has_left, 10)
            after = api.measure()
            again = [Viewer(viewer.path, viewer.last_id()) for viewer in viewers]
            await asyncio.to_thread(crowd.open, again)
            for url in urls:
                await fetch(api.port, "DELETE", url.split("?")[0].replace("stream", "requests"))
            ended = await asyncio.to_thread(crowd.read, lambda _: False, 60)
            await asyncio.to_thread(crowd.leave)
        texts = [f"{one.text()}{two.text()}" for one, two in zip(viewers, again)]
        answers = [problem.rsplit(" ", 1)[0] + " " for problem in problems]
        whole = sum(text == answers[number % requests] for number, text in enumerate(texts))
        channels = await cluster.ask_redis("PUBSUB", "SHARDCHANNELS")
        NOTES["mass_disconnect"] = [f"{most[1] - base[1]} KiB for {count} viewers, {after[1] - base[1]} KiB after"]
        return session.violations + unless(
            (began, "not all saw a token"),
            (most[0] - base[0] >= count, f"only {most[0] - base[0]} connections at once"),
            (left and after[0] <= base[0] + len(session.plans) + 40, f"{after[0]} descriptors, before {base[0]}"),
            (most[1] - base[1] < count * 16, f"{most[1] - base[1]} KiB for {count} viewers"),
            (ended and whole == count, f"{whole} of {count} got everything"),
            (
                not [one for one in channels if ":live:" in one or ":ended:" in one],
                f"{len(channels)} channels are subscribed to",
            ),
        )


@fault
async def slow_readers():
    """500 readers that do not read cost their limit each, and get everything once they read"""
    count, limit, tokens, word = 500, 16, 64, "0123456789" * 400
    settings = {"SSE_BUFFER_LIMIT": f"{limit}KiB", "MOCK_TOKENS": str(tokens), "EVENT_LOOPS": "2"}
    async with Cluster(apis=1, workers=1, settings=settings) as cluster:
        api = cluster.apis[0]
        before = api.measure()
        _, _, body = await fetch(api.port, "POST", "/api/math/solve", body={"problem": word})
        crowd = Crowd(api.port, receive_buffer=4096)
        viewers = [Viewer(body["streamUrl"]) for _ in range(count)]
        await asyncio.to_thread(crowd.open, viewers)

        async def all_stalled():
            return await metric(api, "lemma_streams_stalled_total") >= count

        stalled = await becomes(all_stalled, 20)
        # Longer than a vanished client would be kept: these are slow, not gone.
        await asyncio.sleep(3)
        open_streams = await metric(api, "lemma_streams_active")
        resident = api.measure()[1] - before[1]
        ended = await asyncio.to_thread(crowd.read, lambda _: False, 60)
        peak = api.peak() - before[1]
        whole = sum(viewer.text() == (word + " ") * tokens for viewer in viewers)
        await asyncio.to_thread(crowd.leave)

        async def is_back():
            return api.measure()[0] <= before[0] and not await metric(api, "lemma_streams_active")

        back = await becomes(is_back, 10)
        NOTES["slow_readers"] = [f"{resident} KiB while {count} stood, {peak} KiB at most"]
        # The limit, one event beyond it, and what malloc makes of both.
        bound = count * 2 * limit + 8192
        return unless(
            (stalled and open_streams == count, f"{open_streams} of {count} are there, all stalled: {stalled}"),
            (resident < bound and peak < bound, f"{resident} KiB while they stood, {peak} KiB at most"),
            (ended and whole == count, f"{whole} of {count} got the whole answer"),
            (back, f"{api.measure()[0]} descriptors, before {before[0]}"),
        )
