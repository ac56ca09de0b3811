"""Liveness in a real replica: an event loop that stands still fails it, and nothing else does."""

import ctypes
import os
import threading
import time
import unittest
import urllib.error

from processes import get
from stack import Stack

# ptrace(2).
SEIZE, INTERRUPT, DETACH, WAIT_ALL = 0x4206, 0x4207, 17, 0x40000000
# After how long without a sign of life a loop counts as stuck, in seconds (ProcessHealth.silenceMax).
SILENCE = 10
# The manifests' `timeoutSeconds`.
PROBE = 3


class HeldThread:
    """One thread of a process, which stands still inside of `with`, while the others go on."""

    def __init__(self, thread):
        self.thread = thread
        self.is_over = threading.Event()
        self.is_held = threading.Event()
        self.errors = []
        # What is traced can be let go by the thread alone that traces it.
        self.tracer = threading.Thread(target=self.trace)

    def trace(self):
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        for request in (SEIZE, INTERRUPT):
            if ptrace(request, self.thread, None, None) != 0:
                self.errors.append(OSError(ctypes.get_errno(), "ptrace"))
                self.is_held.set()
                return
        os.waitpid(self.thread, WAIT_ALL)
        self.is_held.set()
        self.is_over.wait()
        ptrace(DETACH, self.thread, None, None)

    def __enter__(self):
        self.tracer.start()
        self.is_held.wait()
        if self.errors:
            raise self.errors[0]

    def __exit__(self, *_):
        self.is_over.set()
        self.tracer.join()


class Liveness(unittest.TestCase):
    def test_one_loop_that_stands_still_fails_it_until_it_turns_again(self):
        with Stack(EVENT_LOOPS="2", AI_PROVIDERS="mock") as stack:
            stack.start("api1")
            # The main thread only waits for signals; the loops are the first that it starts.
            threads = os.listdir(f"/proc/{stack.processes['api1'].process.pid}/task")
            answers = []
            for loop in sorted(int(thread) for thread in threads)[1:3]:
                self.assertEqual(self.health(stack), 200)
                with HeldThread(loop):
                    until = time.monotonic() + SILENCE + 5
                    found = 200
                    while found == 200 and time.monotonic() < until:
                        found = self.health(stack)
                    answers.append(found)
                until = time.monotonic() + 10
                while self.health(stack) != 200:
                    self.assertLess(time.monotonic(), until, "the loop turns again, and the replica does not say so")
            # The first loop serves the operations port: a probe of it waits in vain.
            self.assertEqual(answers, [None, 503])

    def health(self, stack):
        """The status of /healthz; None where none comes in time, which fails a probe, too."""
        try:
            get(f"http://{stack.at('api1', 'operations')}/healthz", timeout=PROBE)
            return 200
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None


if __name__ == "__main__":
    unittest.main()
