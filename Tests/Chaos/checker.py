"""Judges the history of one run offline: `check(history)` returns what breaks a promise, in words.

A history is a list of rows, each a dict with `t` (seconds since the start) and `op`:

    limits    attempts, ttl_done, keeps_data, redis_faults     what the run was given
    submit    request, problem, text, key                      one try; `text` is the answer that completion must give
    accepted  request, id, replica
    unknown   request                                          the try's outcome is not known (connection cut, 503)
    open      viewer, id, replica, cursor, status              0 where nothing answered
    event     viewer, eid, name, data                          eid '' where the event had none
    cut       viewer, why
    seen      viewer, result                                   'terminal', 'gone' or 'deadline'
    again     viewer, status                                   asked once more after the terminal event
    spied     status                                           asked for a stream with another stream's ticket
    abort     request, id, status
    record    id, status, body                                 the finished request by GET
    answered  what, status                                     any other response
    fault     name
    stuck     name                                             a replica that did not end as it should
    lag       seconds                                          this process stood still: the machine is overloaded
    replica   name, descriptors, descriptors_before, resident, resident_before
    final     requests, events, keys, queue, dead              what Redis holds when all is over
              archive                                          what PostgreSQL holds: {id: [status, answer]}
"""

import json

TERMINAL = {"completed", "failed", "cancelled"}


class Stream:
    """The rules of one stream's events, seen one after the other.

    Where the stream may be gone, it may also be the archive's replay: the answer as one token and the end, with their ids.
    """

    def __init__(self, text, label, report, may_be_replay=False):
        self.expected = text
        self.may_be_replay = may_be_replay
        self.is_replay = False
        self.label = label
        self.report = report
        self.last = None
        self.text = ""
        self.terminal = None
        self.markers = 0
        self.handovers = 0

    def fault(self, words):
        self.report(f"{self.label}: {words}")

    def reset(self):
        self.last = None
        self.is_replay = False
        self.text = ""
        self.markers = 0
        self.handovers = 0

    def take(self, eid, name, data):
        try:
            body = json.loads(data)
        except ValueError:
            self.fault(f"data of {name} {eid} is not JSON: {data[:80]!r}")
            return
        if self.terminal:
            self.fault(f"{name} {eid} after the terminal event {self.terminal}")
        if eid:
            self._place(eid, name)
        if name == "token":
            self.text += body["text"]
            if not self.expected.startswith(self.text):
                self.fault(f"text at {eid} is not the answer's beginning: …{self.text[-60:]!r}")
        elif name in ("started", "restarted"):
            self.text = ""
            self.markers += 1
            self.handovers += body.get("reason") == "handed_over"
        elif name in TERMINAL:
            self.terminal = name
            if name == "completed" and self.text != self.expected:
                self.fault(f"completed with {len(self.text)} of {len(self.expected)} characters")

    def _place(self, eid, name):
        parts = eid.split("-")
        is_plain = all(part.isdecimal() and part == str(int(part)) for part in parts)
        if len(parts) != 2 or not is_plain:
            self.fault(f"{eid!r} is no id")
            return
        attempt, sequence = (int(part) for part in parts)
        if self.is_replay and name not in TERMINAL:
            self.fault(f"{name} {eid} after the answer from the archive")
        if self.last is None:
            if (attempt, sequence) != (0, 1):
                self.is_replay = self.may_be_replay and (name == "token" or name in TERMINAL)
                if not self.is_replay:
                    self.fault(f"begins with {eid}")
        else:
            before = self.last
            follows = (attempt, sequence) in {(before[0], before[1] + 1), (before[0] + 1, 0)}
            if not follows:
                self.fault(f"{name} {eid} after {before[0]}-{before[1]}")
        if (sequence == 0) != (name in ("started", "restarted")) and not (sequence == 0 and name in TERMINAL):
            self.fault(f"{name} at {eid}")
        if sequence == 0 and name != ("started" if attempt == 1 else "restarted") and name not in TERMINAL:
            self.fault(f"{name} at {eid}")
        self.last = (attempt, sequence)


class Checker:
    """One history's judgement."""

    def __init__(self, history):
        self.history = history
        self.violations = []
        self.limits = next((row for row in history if row["op"] == "limits"), {})
        self.keeps_data = self.limits.get("keeps_data", True)
        self.final = next((row for row in history if row["op"] == "final"), None)
        self.submissions = {}
        for row in history:
            if row["op"] == "submit":
                one = self.submissions.setdefault(row["request"], dict(row, tries=0, ids=set()))
                one["tries"] += 1
        self.by_problem = {one["problem"]: one for one in self.submissions.values()}
        self.text_by_id = {}
        for row in history:
            if row["op"] == "accepted":
                one = self.submissions[row["request"]]
                one["ids"].add(row["id"])
                self.text_by_id[row["id"]] = one["text"]

    def report(self, words):
        self.violations.append(words)

    def check(self):
        if self.final is None:
            self.report("the history has no end")
            return self.violations
        self.check_answers()
        self.check_keys()
        self.check_streams()
        self.check_viewers()
        self.check_archive()
        self.check_conversations()
        self.check_rest()
        self.check_dead_letters()
        self.check_replicas()
        return self.violations

    def check_answers(self):
        """No response says that the server itself is at fault."""
        redis_was_well = not self.limits.get("redis_faults", True) and not any(r["op"] == "lag" for r in self.history)
        for row in self.history:
            status = row.get("status")
            if isinstance(status, int) and status >= 500 and status != 503:
                self.report(f"{row['op']} was answered with {status}")
            if row["op"] == "spied" and status not in (0, 401, 404, 503):
                self.report(f"a stream was opened with another stream's ticket: {status}")
            if row["op"] == "again" and self.keeps_data and status != 204:
                self.report(f"viewer {row['viewer']} asked after the end and got {status}")
            if row["op"] == "open" and self.keeps_data and status not in (0, 200, 204, 503):
                self.report(f"viewer {row['viewer']} was refused {row['id']} with {status}")
            if status == 503 and redis_was_well:
                self.report(f"{row['op']} was answered with 503 although Redis was well")

    def check_keys(self):
        """One job per key, and no request that was not sent."""
        found = {}
        for id, fields in self.final["requests"].items():
            found.setdefault(fields.get("problem"), []).append(id)
        for problem, ids in found.items():
            one = self.by_problem.get(problem)
            if one is None:
                self.report(f"{ids} were never sent: {problem!r}")
            elif self.keeps_data and len(ids) > (1 if one["key"] else one["tries"]):
                tries = f"{one['tries']} tries, key {one['key']}"
                self.report(f"request {one['request']} became {len(ids)} jobs in {tries}")
        for one in self.submissions.values():
            if one["key"] and self.keeps_data and len(one["ids"]) > 1:
                self.report(f"key {one['key']} was answered with {len(one['ids'])} ids")

    def check_streams(self):
        """Every accepted request has one end, and its stored events are dense and give the answer."""
        records = {row["id"]: row for row in self.history if row["op"] == "record"}
        accepted = set(self.text_by_id)
        if self.keeps_data:
            for id in accepted - set(self.final["requests"]):
                self.report(f"{id} was accepted and is lost")
        for id, fields in self.final["requests"].items():
            one = self.by_problem.get(fields.get("problem"))
            if one is None:
                continue
            status = fields.get("status")
            if status not in TERMINAL:
                self.report(f"{id} is still {status}")
                continue
            rows = self.final["events"].get(id)
            if rows is None:
                self.report(f"{id} has no events")
                continue
            stream = Stream(one["text"], f"stored {id}", self.report)
            for eid, name, data in rows:
                stream.take(eid, name, data)
                if self.keeps_data and '"history_lost"' in data:
                    self.report(f"{id} lost history although Redis kept everything: {eid}")
            if stream.terminal != status:
                self.report(f"{id} is {status}, its stream ends with {stream.terminal}")
            if stream.markers - stream.handovers > self.limits.get("attempts", 3):
                self.report(f"{id} had {stream.markers} attempts, {stream.handovers} of them handed over")
            self._compare(id, status, stream, records.get(id))

    def _compare(self, id, status, stream, record):
        if record is None or record["status"] == 0:
            if id in self.text_by_id:
                self.report(f"{id} could not be read")
            return
        body = record["body"] or {}
        if record["status"] != 200 or body.get("status") != status:
            self.report(f"{id} is {status}, GET says {record['status']} {body.get('status')}")
        elif body.get("answer") is not None and body["answer"] != stream.text:
            self.report(f"{id}: the record's answer is not the stream's text")
        elif status == "completed" and body.get("answer") is None:
            self.report(f"{id} is completed without an answer")

    def check_viewers(self):
        """What each viewer saw over all its connections is the stored stream from its beginning."""
        viewers = {}
        for row in self.history:
            if "viewer" in row:
                viewers.setdefault(row["viewer"], []).append(row)
        for name, rows in viewers.items():
            id = next((row["id"] for row in rows if row["op"] == "open"), None)
            if id is None:
                continue
            label = f"viewer {name} of {id}"
            stream = Stream(self.text_by_id.get(id, ""), label, self.report, may_be_replay=not self.keeps_data)
            seen = []
            for row in rows:
                if row["op"] == "open" and row["status"] == 200 and not row["cursor"]:
                    # Who has seen no id, as in an answer from the archive, is sent everything from the beginning.
                    stream.reset()
                if row["op"] != "event":
                    continue
                if row["name"] == "reset":
                    if self.keeps_data:
                        self.report(f"viewer {name} was sent reset although Redis kept everything")
                    stream.reset()
                    continue
                if row["name"] == "queued" and json.loads(row["data"]).get("correlationId") != id:
                    self.report(f"viewer {name} of {id} was told of another request: {row['data']}")
                stream.take(row["eid"], row["name"], row["data"])
                if row["eid"]:
                    seen.append([row["eid"], row["name"], row["data"]])
            result = next((row["result"] for row in rows if row["op"] == "seen"), "deadline")
            if result == "deadline" or (result == "gone" and self.keeps_data):
                self.report(f"viewer {name} of {id} never saw the end ({result}), last {stream.last}")
            if self.keeps_data and result == "terminal":
                stored = self.final["events"].get(id, [])
                if seen != stored:
                    at = next((i for i, (a, b) in enumerate(zip(seen, stored)) if a != b), min(len(seen), len(stored)))
                    self.report(f"viewer {name} of {id} saw {seen[at:at + 1]}, stored is {stored[at:at + 1]}")

    def check_archive(self):
        """Every request is in the archive with its end and what there is of its answer; no other request is."""
        if not self.keeps_data:
            return
        archive = self.final["archive"]
        for id in set(archive) - set(self.final["requests"]):
            self.report(f"{id} is in the archive and nowhere else")
        for id, fields in self.final["requests"].items():
            status, answer = archive.get(id, (None, None))
            texts = [json.loads(data)["text"] for data in self.last_attempt(id)]
            if status != fields.get("status"):
                self.report(f"{id} is {fields.get('status')}, the archive says {status}")
            elif (answer or "") != "".join(texts):
                self.report(f"{id}: the archive's answer is not the stream's text")

    def last_attempt(self, id):
        """The data of the tokens since the last marker."""
        found = []
        for _, name, data in self.final["events"].get(id) or []:
            if name in ("started", "restarted"):
                found = []
            elif name == "token":
                found.append(data)
        return found

    def check_conversations(self):
        """The requests of a conversation run one at a time, and no user gets 404 for an own one."""
        if not self.keeps_data:
            return
        for row in self.history:
            if row["op"] == "unknown" and row["status"] == 404:
                self.report(f"request {row['request']} was refused its conversation")
        if any(name == "redis_clock" for _, name in self.limits.get("plan", [])):
            # The times of begin and end are Redis's.
            return
        turns = {}
        for id, fields in self.final["requests"].items():
            if fields.get("started") and fields.get("finished"):
                turn = (int(fields["started"]), int(fields["finished"]), id)
                turns.setdefault(fields.get("conversation"), []).append(turn)
        for conversation, runs in turns.items():
            runs.sort()
            for before, after in zip(runs, runs[1:]):
                if after[0] < before[1]:
                    self.report(f"{after[2]} began before {before[2]} of the same conversation had ended")

    def check_rest(self):
        """Nothing is left: no job, no pending entry, no key without an expiry."""
        for key, queue in self.final["queue"].items():
            if queue["length"] or queue["pending"]:
                self.report(f"{key} still has {queue['length']} entries, {queue['pending']} of them pending")
        for key, ttl in self.final["keys"].items():
            kind = key.split(":")[2] if key.count(":") >= 2 else key
            if kind not in ("jobs", "dead", "finished") and ttl < 0:
                self.report(f"{key} has no expiry")
            elif kind in ("request", "events") and ttl > self.limits.get("ttl_done", 300_000):
                self.report(f"{key} lives another {ttl} ms")

    def check_dead_letters(self):
        """A dead letter for each request that ran out of attempts, and for no other."""
        buried = [letter.get("id") for letter in self.final.get("dead", [])]
        for id in {id for id in buried if buried.count(id) > 1}:
            self.report(f"{id} has {buried.count(id)} dead letters")
        for id in buried:
            status = self.final["requests"].get(id, {}).get("status")
            if id is None or (self.keeps_data and status != "failed"):
                self.report(f"{id} has a dead letter and is {status}")
        for id, fields in self.final["requests"].items():
            rows = self.final["events"].get(id) or [["", "", ""]]
            if fields.get("status") == "failed" and rows[-1][0].endswith("-0") and id not in buried:
                self.report(f"{id} ran out of attempts and has no dead letter")
            # No fault of a run removes jobs from the queue: one that is missing was lost.
            if self.keeps_data and fields.get("errorKind") == "removed-from-queue":
                self.report(f"{id} lost its job")

    def check_replicas(self):
        """Replicas end when they are told to, and keep neither descriptors nor memory."""
        for row in self.history:
            if row["op"] == "stuck":
                self.report(row["name"])
            if row["op"] != "replica":
                continue
            # Up to eight of them are connections to PostgreSQL, opened when they are needed.
            if row["descriptors"] > row["descriptors_before"] + 2 + 8:
                self.report(f"{row['name']} has {row['descriptors']} descriptors, before {row['descriptors_before']}")
            if row["resident"] > row["resident_before"] + 65_536:
                self.report(f"{row['name']} has {row['resident']} KiB, before {row['resident_before']}")


def check(history):
    """What breaks a promise; empty when all is well."""
    return Checker(history).check()
