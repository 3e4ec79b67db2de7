"""kill -9 at every call that changes something, one after the other.

A cycle is a fresh queue and two to four lives: the first is killed at call N of
its work, the next ones at some call of theirs, recovery included; the last one
is left alone and must have everything delivered.
"""

import random

from shim import Plan
from world import World

DISK = ("open", "openat", "write", "pwrite", "fdatasync", "fsync",
        "sync_file_range", "renameat", "unlink", "unlinkat", "ftruncate",
        "fallocate", "mkdir", "mkdirat")
NET = ("recv", "recvmsg", "send", "connect", "accept4")
# About what a life makes of calls.  N goes from 1 to there; a life that is over
# before its call comes is killed by nothing, and not counted.
CALLS = {
    ("small", "disk"): 60,
    ("large", "disk"): 110,
    ("rotate", "disk"): 90,
    ("small", "net"): 110,
    ("large", "net"): 190,
    ("rotate", "net"): 180,
}


def jobs(cycles, seed):
    """(seed, shape, place, call, before or after): each in turn."""
    every = [(shape, place, call, deed)
             for (shape, place), count in CALLS.items()
             for call in range(1, count + 1)
             for deed in ("kill-before", "kill-after")]
    random.Random(seed).shuffle(every)
    return [(seed + i, *every[i % len(every)]) for i in range(cycles)]


def _plan(world, place, at, deed):
    if place == "net":
        return Plan("net", at, deed, NET)
    return Plan(world.where, at, deed, DISK)


def cycle(figures, job, library, upstream):
    seed, shape, place, call, deed = job
    world = World(seed, library, upstream, shape)
    choose = world.choose
    calls = [call] + [choose.randrange(1, CALLS[shape, place])
                      for _ in range(choose.choice((0, 1, 1, 2)))]
    for at in calls:
        life = world.live(_plan(world, place, at, deed))
        if life.hits:
            figures.count += 1
            figures.note("kills at " + life.hit.split()[0])
        else:
            figures.note("lives that ended before their call")
        assert life.status == (-9 if life.hits else 0), str(life)
    world.settle()
    world.account(figures)
