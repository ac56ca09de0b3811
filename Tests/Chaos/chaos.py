#!/usr/bin/env python3
"""The chaos suite: seeded students, seeded faults, and a checker of what everybody saw.

    chaos.py run --runs 1000 --seed 1 [--resume FILE]   runs with the seeds 1 … 1000
    chaos.py run --only 77                              one run again, its history kept
    chaos.py faults                                     each fault by itself
    chaos.py latency                                    aborts, take-overs and resumptions: how soon
    chaos.py mutants                                    the checker must find each broken function library
    chaos.py rolling --streams 1000                     restart all replicas under live streams
    chaos.py check HISTORY                              judge a history that was kept
"""

import argparse
import asyncio
import json
import os
import random
import signal
import shutil
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ClusterSupport"))

import mutants as mutation
import viewer_faults  # noqa: F401, its tests are among FAULTS
from checker import check
from cluster import ROOT, Cluster, ClusterFailure, raise_descriptor_limit
from faults import FAULTS, NOTES
from latency import broken_bounds, latencies
from nemesis import Nemesis
from network import NotPermitted, isolate
from quantiles import summary
from rolling import rolling
from samples import samples
from session import Session
from workload import Plan

STUDENTS = 24


async def in_lanes(items, count, work):
    """Does the work for each item, so many at once."""
    left = iter(items)

    async def lane():
        for item in left:
            await work(item)

    await asyncio.gather(*(lane() for _ in range(count)))


def conditions(seed):
    """Settings of the replicas that differ from run to run."""
    rng = random.Random(f"{seed}/conditions")
    return {
        "JOB_PARTITIONS": rng.choice(["1", "1", "3"]),
        "EVENT_LOOPS": rng.choice(["1", "2"]),
        "SSE_BUFFER_LIMIT": rng.choice(["1024B", "256KiB"]),
        "WORKER_CONCURRENCY": rng.choice(["4", "256", "256"]),
    }


async def run(seed, mutant=None, students=STUDENTS, keep=None):
    """One run. Returns (violations, history, nemesis)."""
    nemesis = Nemesis(seed, without=("function_flush",) if mutant else ())
    plans = Plan.all_of(seed, students)
    script = "".join(plan.rule for plan in plans)
    settings = conditions(seed)
    async with Cluster(settings=settings, script=script, has_clocks=nemesis.sets_clocks) as cluster:
        if mutant:
            await mutation.load(cluster, mutant)
        limits = {"keeps_data": not nemesis.loses_data, "redis_faults": nemesis.touches_redis}
        limits.update(plan=nemesis.plan, conditions=settings, ttl_done=300_000 + nemesis.clock_back * 1000)
        session = Session(cluster, plans, seed, **limits)
        async with session:
            rng = random.Random(f"{seed}/spy")
            await nemesis.run(cluster, session.history)
            await session.viewers.spy(rng)
        if mutant:
            await mutation.confirm(cluster)
        if keep or (session.violations and not mutant):
            session.keep(keep or f"{ROOT}/.build/chaos/{seed}")
        return session.violations, session.history.rows, nemesis


class Progress:
    """The seeds that are done, in a file that outlives an interruption."""

    def __init__(self, path):
        self.path = path
        self.done = set()
        self.times = {}
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    entry = json.loads(line)
                    self._take(entry)

    def _take(self, entry):
        self.done.add(entry["seed"])
        for name, values in entry["times"].items():
            self.times.setdefault(name, []).extend(values)

    def add(self, seed, times):
        entry = {"seed": seed, "times": times}
        self._take(entry)
        if self.path:
            os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


async def run_many(options):
    progress = Progress(options.resume)
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(1, 1_000_000)
    seeds = list(range(first, first + options.runs))
    if options.seeds or options.only is not None:
        seeds = [options.only] if options.only is not None else [int(word) for word in options.seeds.split(",")]
    left = [seed for seed in seeds if seed not in progress.done]
    print(f"chaos: {len(left)} of {len(seeds)} runs to do, the first seed is {seeds[0]}", flush=True)
    failed = []

    async def judge(seed):
        if failed and not options.go_on:
            return
        start = time.monotonic()
        folder = f"{ROOT}/.build/chaos/{seed}"
        keep = folder if options.only is not None else None
        try:
            violations, history, nemesis = await run(seed, students=options.students, keep=keep)
        except ClusterFailure as failure:
            print(f"seed {seed}: NOT RUN: {failure}", flush=True)
            failed.append(seed)
            return
        faults = " ".join(f"{name}@{at:.1f}" for at, name in nemesis.plan) or "calm"
        took = time.monotonic() - start
        events = sum(row["op"] == "event" for row in history)
        verdict = "VIOLATED" if violations else "ok"
        print(f"seed {seed}: {verdict}, {took:.1f} s, {events} events, {faults}", flush=True)
        if violations:
            failed.append(seed)
            for one in violations[:12]:
                print(f"    {one}", flush=True)
            print(f"    history and logs: {folder}; again: Tests/Chaos/chaos.py run --only {seed}", flush=True)
        else:
            progress.add(seed, latencies(history, nemesis.single))

    await in_lanes(left, options.parallel, judge)
    for name, values in sorted(progress.times.items()):
        if values:
            print(f"{name}: {summary(values)}")
    broken = broken_bounds(progress.times) if options.bounds else []
    for one in broken:
        print(f"too slow: {one}")
    print(f"chaos: {len(progress.done)} runs passed, {len(failed)} failed{': ' if failed else ''}{failed or ''}")
    return 1 if failed or broken else 0


async def run_mutants(options):
    missed = []

    async def hunt(mutant):
        for seed in range(options.seed, options.seed + options.runs):
            violations, _, _ = await run(seed, mutant=mutant)
            if violations:
                print(f"mutant {mutant}: found with seed {seed}: {violations[0][:140]}", flush=True)
                return
        print(f"mutant {mutant}: NOT FOUND in {options.runs} runs", flush=True)
        missed.append(mutant)

    await in_lanes([one for one in mutation.MUTANTS if options.only in (None, one)], options.parallel, hunt)
    return 1 if missed else 0


async def run_rolling(options):
    violations = await rolling(options.streams, options.old and os.path.abspath(options.old))
    for one in violations[:12]:
        print(f"    {one}")
    print(f"rolling restart: {'VIOLATED' if violations else 'ok'}")
    return 1 if violations else 0


async def run_faults(options):
    names = options.only.split(",") if options.only else list(FAULTS)
    failed = []

    async def test(name):
        start = time.monotonic()
        problems = await FAULTS[name]()
        verdict = "FAILED" if problems else "ok"
        print(f"fault {name}: {verdict}, {time.monotonic() - start:.1f} s: {FAULTS[name].__doc__}", flush=True)
        for one in NOTES.get(name, []) + problems[:12]:
            print(f"    {one}", flush=True)
        if problems:
            failed.append(name)

    await in_lanes(names, options.parallel, test)
    return 1 if failed else 0


async def run_latency(options):
    times = await samples(options.samples)
    for name, values in sorted(times.items()):
        print(f"{name}: {summary(values)}")
    broken = broken_bounds(times)
    broken += [f"{name}: only {len(values)} samples" for name, values in times.items() if len(values) < options.samples]
    for one in broken:
        print(f"latency: {one}")
    print(f"latency: {'VIOLATED' if broken else 'ok'}")
    return 1 if broken else 0


def check_file(path):
    with open(path, encoding="utf-8") as file:
        violations = check([json.loads(line) for line in file])
    for one in violations:
        print(one)
    return 1 if violations else 0


def become_root():
    """Begins again with sudo where that is needed and there is one: only root may make namespaces."""
    if os.geteuid() != 0 and shutil.which("sudo"):
        settings = "--preserve-env=LEMMA,PYTHONDONTWRITEBYTECODE"
        os.execvp("sudo", ["sudo", settings, sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="seeded runs")
    runs.add_argument("--runs", type=int, default=8)
    runs.add_argument("--seed", type=int, help="the first seed; without it a random one, which is printed")
    runs.add_argument("--only", type=int, metavar="SEED", help="this one run, its history kept")
    runs.add_argument("--seeds", metavar="N,N…", help="these runs")
    runs.add_argument("--resume", metavar="FILE", help="where finished seeds are noted and skipped the next time")
    runs.add_argument("--parallel", type=int, default=1)
    runs.add_argument("--students", type=int, default=STUDENTS)
    runs.add_argument("--bounds", action="store_true", help="fail also where the times are above their bounds")
    runs.add_argument("--go-on", action="store_true", help="do not stop at the first violation")
    broken = commands.add_parser("mutants", help="the checker against broken function libraries")
    broken.add_argument("--runs", type=int, default=25, help="runs in which each must be found")
    broken.add_argument("--seed", type=int, default=1)
    broken.add_argument("--only", metavar="NAME")
    broken.add_argument("--parallel", type=int, default=4)
    under_load = commands.add_parser("rolling", help="a restart of all replicas under live streams")
    under_load.add_argument("--streams", type=int, default=1000)
    under_load.add_argument("--old", metavar="PROGRAM", help="another release's: from it to this one and back")
    single = commands.add_parser("faults", help="each fault by itself, with what is promised for it")
    single.add_argument("--only", metavar="NAME,NAME…")
    single.add_argument("--parallel", type=int, default=3)
    times = commands.add_parser("latency", help="how soon aborts, take-overs and resumptions show, and their bounds")
    times.add_argument("--samples", type=int, default=100)
    one = commands.add_parser("check", help="judge a history that was kept")
    one.add_argument("history")
    options = parser.parse_args()
    try:
        if options.command == "check":
            return check_file(options.history)
        become_root()
        isolate()
        raise_descriptor_limit()
        # Ends as an interruption does: every cluster takes its files away.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        work = {
            "run": run_many,
            "faults": run_faults,
            "latency": run_latency,
            "mutants": run_mutants,
            "rolling": run_rolling,
        }[options.command]
        return asyncio.run(work(options))
    except (ClusterFailure, NotPermitted) as failure:
        print(f"chaos: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
