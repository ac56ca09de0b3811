"""What students do during one run: a plan drawn from the seed, and the tasks that carry it out."""

import asyncio
import random
import time
import uuid

from http_client import Closed, fetch, send

TERMINAL = {"completed", "failed", "cancelled"}
# A client that hears nothing for so long (the heart beats every 0.5 s) takes the connection for dead.
SILENCE = 3.0


class History:
    """What everybody saw, in the order in which it was seen."""

    def __init__(self):
        self.rows = []
        self.start = time.monotonic()

    def now(self):
        return round(time.monotonic() - self.start, 4)

    def add(self, op, **fields):
        self.rows.append({"t": self.now(), "op": op, **fields})


class Plan:
    """One student's problem and behaviour."""

    def __init__(self, seed, number, may_stall=True):
        rng = random.Random(f"{seed}/student/{number}")
        self.rng = rng
        self.number = number
        words = int(min(160, 6 + rng.expovariate(1 / 45)))
        wide = rng.random() < 0.1
        self.words = [f"s{seed}r{number}w{i}" + ("x" * rng.randrange(1, 30) if wide else "") for i in range(words)]
        self.behaviour = "answer"
        self.start = rng.uniform(0, 2.5)
        self.mode = rng.choices(["plain", "stream", "wait"], [6, 3, 2])[0]
        self.key = f"key-{seed}-{number}-{uuid.UUID(int=rng.getrandbits(128))}" if rng.random() < 0.6 else None
        self.copies = rng.choice([2, 2, 3]) if self.key and rng.random() < 0.5 else 1
        self.viewers = rng.choices([0, 1, 2, 3], [1, 6, 3, 2])[0]
        self.abort_after = rng.uniform(0, 1.5) if rng.random() < 0.15 else None
        draw = rng.random()
        after = rng.randrange(0, len(self.words))
        if draw < 0.05:
            self.behaviour = f"fail:{after} x1"
        elif draw < 0.08:
            self.behaviour = f"fail:{after}"
        elif draw < 0.10:
            self.behaviour = "reject"
        elif draw < 0.15 and may_stall:
            self.behaviour = f"hang:{after}"
            self.abort_after = rng.uniform(0.3, 1.5)
        # What is asked in an earlier problem's conversation, and what then happens to that one.
        self.follow_up = None
        self.conversation = None
        self.on_busy = rng.choices(["enqueue", "interrupt", "reject"], [6, 2, 1])[0]

    @classmethod
    def all_of(cls, seed, students):
        """The students' first problems, a third of them with one or two more in the same conversation."""
        plans = [cls(seed, number) for number in range(students)]
        rng = random.Random(f"{seed}/conversations")
        extra = students
        for plan in list(plans):
            last = plan
            for _ in range(rng.choices([0, 1, 2], [4, 1, 1])[0]):
                last.follow_up = cls(seed, extra, may_stall=False)
                last.follow_up.start = rng.uniform(0, 1)
                last, extra = last.follow_up, extra + 1
                plans.append(last)
        return plans

    @classmethod
    def steady(cls, seed, number, words, within):
        """One answer of `words` words with one viewer, begun `within` so many seconds."""
        plan = cls(seed, number)
        plan.words = [f"s{seed}r{number}w{i}" for i in range(words)]
        plan.behaviour, plan.mode, plan.copies, plan.viewers, plan.abort_after = "answer", "plain", 1, 1, None
        plan.key = f"key-{seed}-{number}"
        plan.start = plan.rng.uniform(0, within)
        return plan

    @property
    def problem(self):
        return " ".join(self.words)

    @property
    def answer(self):
        return self.problem + " "

    @property
    def rule(self):
        """The line of the mock's script."""
        return f"{self.behaviour} when {self.words[0]} \n" if self.behaviour != "answer" else ""


class Viewers:
    """Students and viewers of one run, against the API replicas of `cluster`."""

    def __init__(self, cluster, history, seed, silence=SILENCE, are_steady=False):
        self.silence = silence
        # Steady viewers come at once, take what comes, and leave at the end only.
        self.are_steady = are_steady
        self.cluster = cluster
        self.history = history
        self.seed = seed
        self.deadline = None
        self.tickets = {}
        self.accepted = {}
        self.count = 0
        self.late = []

    @property
    def is_late(self):
        return self.deadline is not None and time.monotonic() > self.deadline

    def api(self, rng):
        return rng.choice(self.cluster.apis)

    # Submitting

    async def student(self, plan):
        await asyncio.sleep(plan.start)
        tries = [self.submit(plan, copy) for copy in range(plan.copies)]
        found = [one for one in await asyncio.gather(*tries) if one]
        if not found:
            return
        id, viewer = found[0]
        tasks = [one[1] for one in found if one[1]]
        for index in range(plan.viewers):
            rng = random.Random(f"{self.seed}/viewer/{plan.number}/{index}")
            tasks.append(self.view(id, rng, first=None))
        if plan.abort_after is not None:
            tasks.append(self.abort(plan, id))
        if plan.follow_up is not None:
            tasks.append(self.follow(plan.follow_up, id))
        await asyncio.gather(*tasks)

    async def follow(self, plan, id):
        """Asks the next question of the conversation, while the one before is still under way or after it."""
        while not self.is_late:
            status, _, body = await fetch(self.api(plan.rng).port, "GET", f"/api/math/requests/{id}", timeout=5)
            if status == 200:
                plan.conversation = body["conversationId"]
                return await self.student(plan)
            if status in (404, 410):
                return None
            await asyncio.sleep(0.1)

    async def submit(self, plan, copy):
        """Tries until the submission is accepted, where a key makes that safe; returns (id, viewing task or None)."""
        rng = random.Random(f"{self.seed}/submit/{plan.number}/{copy}")
        replicas = self.cluster.apis
        at = (rng.randrange(len(replicas)) + copy) % len(replicas)
        headers = {"Idempotency-Key": plan.key} if plan.key else {}
        if plan.mode == "stream":
            headers["Accept"] = "text/event-stream"
        if plan.mode == "wait":
            headers["Prefer"] = "wait=5"
        for attempt in range(200):
            if self.is_late:
                return None
            api = replicas[(at + attempt) % len(replicas)]
            self.history.add("submit", request=plan.number, problem=plan.problem, text=plan.answer, key=plan.key)
            try:
                body, limit = {"problem": plan.problem}, self.silence + 6
                if plan.conversation:
                    body |= {"conversationId": plan.conversation, "options": {"onBusy": plan.on_busy}}
                response = await send(api.port, "POST", "/api/math/solve", headers, body, limit)
            except Closed:
                response = None
            if response is not None and response.status == 200 and plan.mode == "stream":
                id = response.headers["location"].rsplit("/", 1)[1]
                self.accept(plan, id, api)
                return id, self.view(id, rng, first=(api, response))
            status, id = await self._outcome(response)
            if status in (200, 202) and id:
                self.accept(plan, id, api)
                return id, None
            self.history.add("unknown", request=plan.number, status=status, replica=api.name)
            # A conversation is busy until its problem has ended.
            if status not in (0, 503, 409):
                return None
            await asyncio.sleep(rng.uniform(0.05, 0.25))
        return None

    async def _outcome(self, response):
        if response is None:
            return 0, None
        try:
            body = await asyncio.wait_for(response.body(), self.silence + 6)
        except (Closed, asyncio.TimeoutError):
            # The head has told the id already.
            body = b""
        finally:
            response.close()
        location = response.headers.get("location", "")
        id = location.rsplit("/", 1)[1] if location else None
        marker = b'"streamUrl":"'
        if id and marker in body:
            self.tickets[id] = body.split(marker)[1].split(b"ticket=")[1].split(b'"')[0].decode()
        return response.status, id

    def accept(self, plan, id, api):
        self.accepted[id] = plan
        self.history.add("accepted", request=plan.number, id=id, replica=api.name)

    # Aborting

    async def abort(self, plan, id):
        await asyncio.sleep(plan.abort_after)
        for attempt in range(400):
            if self.is_late:
                return
            api = self.api(plan.rng)
            asked = self.history.now()
            status, _, _ = await fetch(api.port, "DELETE", f"/api/math/requests/{id}", timeout=self.silence + 3)
            self.history.add("abort", request=plan.number, id=id, status=status, asked=asked, replica=api.name)
            if status in (200, 202, 404, 410):
                return
            await asyncio.sleep(0.1)

    # Viewing

    async def view(self, id, rng, first):
        """Watches to the end, dropping the connection now and then; `first` is a stream that is open already."""
        self.count += 1
        name = f"v{self.count}"
        if first is None and not self.are_steady:
            await asyncio.sleep(rng.choices([0, rng.uniform(0, 0.5), rng.uniform(0.5, 3)], [5, 3, 2])[0])
        state = {"cursor": "", "terminal": False, "gone": 0, "drop": rng.random() < 0.5, "slow": rng.random() < 0.15}
        state["retry"] = None
        if self.are_steady:
            state.update(drop=False, slow=False)
        try:
            while not self.is_late and not state["terminal"] and state["gone"] < 3:
                await self._watch_once(name, id, rng, state, first)
                first = None
                if not state["terminal"]:
                    await asyncio.sleep(self._pause(rng, state))
        finally:
            result = "terminal" if state["terminal"] else "gone" if state["gone"] >= 3 else "deadline"
            self.history.add("seen", viewer=name, id=id, result=result)
        if state["terminal"] and rng.random() < 0.3:
            await self._again(name, id, rng, state["cursor"])

    def _pause(self, rng, state):
        """How long a viewer is away: a steady one does as it was told, as an `EventSource` does."""
        if self.are_steady and state["retry"] is not None:
            return state["retry"] / 1000
        return rng.uniform(0.02, 0.25)

    async def _again(self, name, id, rng, cursor):
        """Asks for what follows the terminal event; with Redis away that is an empty stream or 503."""
        for attempt in range(40):
            status, follows = 0, 0
            api = self.api(rng)
            try:
                headers = {"Last-Event-ID": cursor}
                response = await send(api.port, "GET", f"/api/math/stream/{id}", headers, None, self.silence)
                status = response.status
                try:
                    if status == 200:
                        async for _ in response.events(self.silence):
                            follows += 1
                finally:
                    response.close()
            except (Closed, asyncio.TimeoutError):
                pass
            if follows or status not in (0, 200, 503):
                break
            if self.is_late:
                return
            await asyncio.sleep(0.25)
        self.history.add("again", viewer=name, id=id, status=status)

    async def _watch_once(self, name, id, rng, state, first):
        api = first[0] if first else self.api(rng)
        path = f"/api/math/stream/{id}"
        ticket = self.tickets.get(id)
        if ticket and rng.random() < 0.5:
            path += f"?ticket={ticket}"
        headers = {"Last-Event-ID": state["cursor"]} if state["cursor"] else {}
        asked = self.history.now()
        try:
            buffer = 2048 if state["slow"] else None
            response = first[1] if first else await send(api.port, "GET", path, headers, None, self.silence, buffer)
            status = response.status
        except Closed:
            response, status = None, 0
        seen = {"cursor": state["cursor"], "status": status, "asked": asked, "slow": state["slow"]}
        self.history.add("open", viewer=name, id=id, replica=api.name, **seen)
        if status != 200:
            if response:
                response.close()
            if status in (404, 410):
                state["gone"] += 1
            elif status == 204:
                # Nothing follows the cursor: that is right only after the terminal event, which has been seen then.
                state["gone"] += 1
            return
        # How many events until this client drops its connection.
        left = rng.randrange(0, 40) if state["drop"] and rng.random() < 0.8 else -1
        why = "end"
        try:
            async for eid, event, data in response.events(self.silence):
                self.history.add("event", viewer=name, eid=eid, name=event, data=data)
                if eid:
                    state["cursor"] = eid
                if event in TERMINAL:
                    state["terminal"] = True
                left -= 1
                if self.is_late or (left == 0 and not state["terminal"]):
                    why = "dropped"
                    break
                # Once the faults are over, a slow viewer reads at full speed: the time to settle judges Lemma.
                if state["slow"] and self.deadline is None:
                    await asyncio.sleep(0.02)
        except Closed:
            why = "broken"
        except asyncio.TimeoutError:
            why = "silence"
        finally:
            state["retry"] = response.retry
            response.close()
        self.history.add("cut", viewer=name, why=why, replica=api.name)

    # Looking into what is another's

    async def spy(self, rng):
        """Opens one stream with the ticket of another."""
        if len(self.tickets) < 2:
            return
        mine, other = rng.sample(sorted(self.tickets), 2)
        api = self.api(rng)
        path = f"/api/math/stream/{other}?ticket={self.tickets[mine]}"
        status, _, _ = await fetch(api.port, "GET", path, timeout=self.silence)
        self.history.add("spied", status=status, id=other)

    # The end

    async def records(self):
        """Reads every finished request."""
        for id in self.accepted:
            for api in self.cluster.apis * 3:
                status, _, body = await fetch(api.port, "GET", f"/api/math/requests/{id}", timeout=5)
                if status in (200, 404):
                    break
            self.history.add("record", id=id, status=status, body=body)
