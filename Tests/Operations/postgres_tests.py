"""What docs/operations.md does with PostgreSQL, word by word, with a real server and a running Lemma."""

import json
import os
import re
import subprocess
import time
import unittest

from manifests import text
from processes import PATIENCE, get
from stack import Stack
from streams import Stream, submit


def command(program):
    """The one line of the manual that runs a program."""
    (line,) = re.findall(rf"^{program} .*$", text("docs/operations.md"), re.MULTILINE)
    return line


def roles():
    """The manual's SQL for two roles that take turns."""
    section = text("docs/operations.md").partition("### PostgreSQL's password")[2]
    block = re.search(r"^```sql\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[1]
    return block


class Procedures(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.stack.__enter__()
        self.addCleanup(self.stack.__exit__)

    def solve(self):
        """The path of a request that is over."""
        address = self.stack.addresses["api1"], self.stack.ports["http"]
        path = submit(*address)
        self.assertEqual(Stream(*address, "GET", path).finish(), "completed")
        return path.partition("?")[0].replace("/stream/", "/requests/")

    def until(self, condition, otherwise):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, otherwise)
            time.sleep(0.1)

    def test_a_dump_in_a_new_database_has_the_answers_that_were_given(self):
        stack = self.stack
        stack.start("api1", "worker1")
        path = self.solve()
        self.until(lambda: stack.sql("SELECT count(*) FROM ai_responses", "lemma") == "1", "the answer is not written")
        self.shell(command("pg_dump"), stack.database("lemma"))
        stack.sql("CREATE DATABASE restored")
        new = stack.database("restored")
        self.shell(command("pg_restore"), new)

        stack.migrate(DATABASE_URL=new)
        for name in ("api1", "worker1"):
            self.assertEqual(stack.processes[name].stop(), 0)
        # Redis knows nothing of it any more.
        stack.redis("FLUSHALL")
        stack.start("api1", "worker1", DATABASE_URL=new)
        request = json.loads(get(f"http://{stack.at('api1', 'http')}{path}"))
        self.assertEqual(request["status"], "completed")
        self.assertIn("x = 2", request["answer"])
        self.solve()
        self.until(lambda: stack.sql("SELECT count(*) FROM ai_responses", "restored") == "2", "the next one is not written")

    def shell(self, line, database):
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database}
        subprocess.run(["sh", "-ec", line], cwd=self.stack.folder, env=environment, check=True)

    def test_two_roles_take_turns_and_all_belongs_to_the_third(self):
        stack = self.stack
        # Not the superuser that the others use.
        stack.sql("CREATE ROLE keeper NOLOGIN")
        for statement in roles().replace("lemma", "keeper").split(";"):
            self.assertIsNotNone(stack.sql(statement), statement)
        stack.sql("CREATE DATABASE kept OWNER keeper")
        first, second = (stack.database("kept", user) for user in ("keeper_a", "keeper_b"))
        stack.migrate(DATABASE_URL=first)
        stack.start("api1", "worker1", DATABASE_URL=first)
        self.solve()

        stack.sql("ALTER ROLE keeper_b LOGIN PASSWORD 'new'")
        stack.migrate(DATABASE_URL=second)
        for name in ("api1", "worker1"):
            self.assertEqual(stack.processes[name].stop(), 0)
        stack.start("api1", "worker1", DATABASE_URL=second)
        stack.sql("ALTER ROLE keeper_a NOLOGIN")
        self.solve()
        self.until(lambda: stack.sql("SELECT count(*) FROM ai_responses", "kept") == "2", "an answer is not written")
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        self.assertEqual(stack.sql(owners, "kept"), "keeper")


if __name__ == "__main__":
    unittest.main()
