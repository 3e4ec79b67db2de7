"""shim.c built, and what it is told."""

import errno
import os
import struct
import subprocess


HERE = os.path.dirname(os.path.abspath(__file__))
LAYOUT = struct.Struct("<QQQ24s216s")
ENDLESS = 10 ** 12


def build(folder):
    """The shared object, in folder."""
    path = os.path.join(folder, "shim.so")
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-std=gnu11", "-O1", "-Wall", "-Wextra",
                    "-Werror", "-shared", "-fPIC", "-o", path,
                    os.path.join(HERE, "shim.c")], check=True)
    return path


class Plan:
    """What is to happen, where: the variables of shim.c by other names.

    do: an errno's name for one that fails, or as in shim.c.
    """

    def __init__(self, where, at=0, do="kill-before", only=(), times=1,
                 every=1, gate=""):
        self.where, self.at, self.do, self.only = where, at, do, only
        self.times, self.every, self.gate = times, every, gate

    @property
    def fails(self):
        """Calls fail: not what ends the program."""
        return self.do == "lose" or hasattr(errno, self.do)

    def __str__(self):
        return "%s at call %d of %s%s%s" % (
            self.do, self.at, ",".join(self.only) or "all",
            " (net)" if self.where == "net" else "",
            "" if self.times == 1 else ", every %d" % self.every)


class State:
    """What the shim says, before and after the program's end."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "shim.state")
        with open(self.path, "wb") as file:
            file.write(bytes(LAYOUT.size))

    def read(self):
        """Calls that counted, calls that were hit, programs, what was hit."""
        with open(self.path, "rb") as file:
            calls, hits, loads, call, path = LAYOUT.unpack(
                file.read(LAYOUT.size))
        assert loads > 0, "the shim was not loaded"
        return calls, hits, " ".join(
            text.rstrip(b"\0").decode(errors="replace")
            for text in (call, path)).strip()

    def environment(self, library, plan):
        number = getattr(errno, plan.do, None)
        return {"LD_PRELOAD": library, "SHIM_STATE": self.path,
                "SHIM_WHERE": plan.where, "SHIM_AT": str(plan.at),
                "SHIM_TIMES": str(plan.times), "SHIM_EVERY": str(plan.every),
                "SHIM_ONLY": ",".join(plan.only), "SHIM_WHILE": plan.gate,
                "SHIM_DO": plan.do if number is None else str(number)}
