"""Wall clocks that can be set for one process: see clock.c."""

import os
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


class Clock:
    """The wall clock of one process of a cluster; built into `folder`, where it leaves nothing but two files."""

    def __init__(self, folder, name):
        self.shim = f"{folder}/clock.so"
        self.path = f"{folder}/{name}.clock"
        if not os.path.exists(self.shim):
            command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", self.shim, f"{HERE}/clock.c"]
            subprocess.run(command, check=True)
        self.set(0)

    def set(self, ahead):
        """Lets the clock be so many seconds ahead of the true one; below zero, behind."""
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("=q", ahead))

    @property
    def environment(self):
        return {"LD_PRELOAD": self.shim, "CHAOS_CLOCK": self.path}
