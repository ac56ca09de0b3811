#!/usr/bin/env python3
"""The chaos suite: seeded students, seeded faults, and a checker of what everybody saw.

    chaos.py run --runs 1000 --seed 1 [--resume FILE]   runs with the seeds 1 … 1000
    chaos.py run --only 77                              one run again, its history kept
    chaos.py mutants                                    the checker must find each broken function library
    chaos.py rolling --streams 1000                     restart all replicas under live streams
    chaos.py check HISTORY                              judge a history that was kept
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ClusterSupport"))

import mutants as mutation
from checker import check
from cluster import ROOT, ClusterFailure, Cluster
from latency import broken_bounds, latencies
from nemesis import Nemesis
from quantiles import summary
from redis_link import RedisFailure
from rolling import rolling
from workload import TERMINAL, History, Plan, Viewers

STUDENTS = 24
# After the last fault everything must come to its end within this many seconds.
SETTLE = 25


async def settled(cluster, limit):
    """Waits until no job is left; whether it came to that is the checker's to say."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        start = time.monotonic()
        try:
            found = await cluster.dump()
            idle = all(q["length"] == 0 and q["pending"] == 0 for q in found["queue"].values())
            if idle and all(fields.get("status") in TERMINAL for fields in found["requests"].values()):
                return
        except (OSError, EOFError, RedisFailure):
            pass
        await asyncio.sleep(max(0.1, 3 * (time.monotonic() - start)))


async def finished(tasks, limit):
    """Waits for the students; who is not done by then is told to go, and the history says so."""
    _, late = await asyncio.wait(tasks, timeout=limit)
    for task in late:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def watch_lag(history):
    """Notes when this process itself, and with it the links to Redis, stood still: the machine is busy."""
    while True:
        due = time.monotonic() + 0.1
        await asyncio.sleep(0.1)
        if (lag := time.monotonic() - due) > 0.25:
            history.add("lag", seconds=round(lag, 2))


async def base_line(replicas):
    """Descriptors and memory of each once its connections are there.

    Replicas of a role come to the same number of descriptors; it has to stay for half a second.
    """
    found, since, deadline = None, time.monotonic(), time.monotonic() + 10
    while time.monotonic() < deadline and time.monotonic() - since < 0.5:
        now = {(one.name, one.generation): one.measure() for one in replicas}
        counts = {(one.role, now[one.name, one.generation][0]) for one in replicas}
        if found is None or len(counts) > 2 or any(now[name][0] != found[name][0] for name in now):
            since = time.monotonic()
        found = now
        await asyncio.sleep(0.05)
    return found


async def measured(cluster, history, before):
    """Descriptors come back to what they were, given a moment to close."""
    for replica in cluster.replicas:
        base = before.get((replica.name, replica.generation))
        if base is None or not replica.is_running:
            continue
        deadline = time.monotonic() + 5
        while (found := replica.measure())[0] > base[0] and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        history.add(
            "replica",
            name=replica.name,
            descriptors=found[0],
            descriptors_before=base[0],
            resident=found[1],
            resident_before=base[1],
        )


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
    plans = [Plan(seed, number) for number in range(students)]
    script = "".join(plan.rule for plan in plans)
    async with Cluster(settings=conditions(seed), script=script) as cluster:
        if mutant:
            await mutation.load(cluster, mutant)
        history = History()
        history.add(
            "limits",
            attempts=3,
            ttl_done=90_000,
            keeps_data=not nemesis.loses_data,
            redis_faults=nemesis.touches_redis,
            seed=seed,
            plan=nemesis.plan,
            conditions=conditions(seed),
        )
        before = await base_line(cluster.replicas)
        viewers = Viewers(cluster, history, seed)
        lag = asyncio.create_task(watch_lag(history))
        tasks = [asyncio.create_task(viewers.student(plan)) for plan in plans]
        rng = random.Random(f"{seed}/spy")
        await nemesis.run(cluster, history)
        await viewers.spy(rng)
        history.add("quiet")
        viewers.deadline = time.monotonic() + SETTLE
        await finished(tasks, SETTLE)
        await settled(cluster, max(1.0, viewers.deadline - time.monotonic()))
        await viewers.spy(rng)
        await viewers.records()
        history.add("final", **await cluster.dump())
        lag.cancel()
        await measured(cluster, history, before)
        violations = check(history.rows)
        if violations or keep:
            folder = keep or f"{ROOT}/.build/chaos/{seed}" + (f"-{mutant}" if mutant else "")
            if not mutant:
                cluster.keep(folder)
                with open(f"{folder}/history.jsonl", "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(row) + "\n" for row in history.rows)
                with open(f"{folder}/violations", "w", encoding="utf-8") as file:
                    file.writelines(f"{one}\n" for one in violations)
        return violations, history.rows, nemesis


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
    queue = list(reversed(left))

    async def lane():
        while queue and not (failed and not options.go_on):
            seed = queue.pop()
            start = time.monotonic()
            folder = f"{ROOT}/.build/chaos/{seed}"
            keep = folder if options.only is not None else None
            violations, history, nemesis = await run(seed, students=options.students, keep=keep)
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

    await asyncio.gather(*(lane() for _ in range(options.parallel)))
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
    for mutant in mutation.MUTANTS:
        if options.only and mutant != options.only:
            continue
        for number in range(options.runs):
            seed = options.seed + number
            violations, _, _ = await run(seed, mutant=mutant)
            if violations:
                print(f"mutant {mutant}: found with seed {seed}: {violations[0][:140]}", flush=True)
                break
        else:
            print(f"mutant {mutant}: NOT FOUND in {options.runs} runs", flush=True)
            missed.append(mutant)
    return 1 if missed else 0


async def run_rolling(options):
    violations = await rolling(options.streams, settled)
    for one in violations[:12]:
        print(f"    {one}")
    print(f"rolling restart: {'VIOLATED' if violations else 'ok'}")
    return 1 if violations else 0


def check_file(path):
    with open(path, encoding="utf-8") as file:
        violations = check([json.loads(line) for line in file])
    for one in violations:
        print(one)
    return 1 if violations else 0


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
    under_load = commands.add_parser("rolling", help="a restart of all replicas under live streams")
    under_load.add_argument("--streams", type=int, default=1000)
    one = commands.add_parser("check", help="judge a history that was kept")
    one.add_argument("history")
    options = parser.parse_args()
    try:
        if options.command == "check":
            return check_file(options.history)
        work = {"run": run_many, "mutants": run_mutants, "rolling": run_rolling}[options.command]
        return asyncio.run(work(options))
    except ClusterFailure as failure:
        print(f"chaos: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
