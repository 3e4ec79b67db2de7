"""SIGTERM, SIGHUP and SIGKILL in the middle of a commit, and anywhere else.

A cycle is a queue and some lives.  In each a signal comes at some call, of those
that change something on the disk or of those that talk; a reload may be followed
by more.  Nothing is lost, and what ends by SIGTERM ends well.
"""

import random
import signal

import kills
from shim import Plan
from world import World

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP, signal.SIGKILL)


def jobs(cycles, seed):
    choose = random.Random(seed)
    return [(seed + i, choose.choice(sorted(kills.CALLS)))
            for i in range(cycles)]


def _plan(world, place, count):
    number = world.choose.choice(SIGNALS)
    at = world.choose.randrange(1, count)
    # A reload comes again, at once: in the next life of the same process.
    times = world.choose.choice((1, 3)) if number == signal.SIGHUP else 1
    return Plan("net" if place == "net" else world.where, at,
                "signal-%d" % number,
                kills.NET if place == "net" else kills.DISK, times)


def cycle(figures, job, library, upstream):
    seed, (shape, place) = job
    world = World(seed, library, upstream, shape)
    for _ in range(world.choose.randrange(2, 5)):
        plan = _plan(world, place, kills.CALLS[shape, place])
        life = world.live(plan)
        if not life.hits:
            figures.note("lives that ended before their call")
            continue
        figures.count += 1
        figures.note("%s at %s" % (signal.Signals(int(plan.do[7:])).name,
                                   life.hit.split()[0]))
        assert life.status in (0, -signal.SIGKILL), str(life)
        assert life.status == 0 or plan.do == "signal-9", str(life)
    world.settle()
    world.account(figures)
