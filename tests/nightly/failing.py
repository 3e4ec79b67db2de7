"""Every system call of the daemon fails, one after the other, in every way.

A run is a queue, fresh or left by one that was killed, and two lives: in the
first a call fails, once or from there on; it may end with an error that it
tells, and must not crash, nor accept what is not durable; the second is left
alone and must have everything that was accepted delivered.
"""

import random
import signal

import spread
from shim import ENDLESS, Plan
from world import SHAPES, World

FULL = ("ENOSPC", "EDQUOT")
DISK = {
    "open": ("EIO", "EMFILE", "ENOMEM", "EINTR", *FULL),
    "openat": ("EIO", "EMFILE", "ENOMEM", "EINTR", *FULL),
    "pread": ("EIO", "ENOMEM", "EINTR", "short"),
    "pwrite": ("EIO", "EINTR", "short", *FULL),
    "fdatasync": ("EIO", "EINTR", "lose", *FULL),
    "fsync": ("EIO", "EINTR", *FULL),
    "sync_file_range": ("EIO", "ENOSYS", *FULL),
    "ftruncate": ("EIO", "EINTR", "EROFS"),
    "fallocate": ("EIO", "EINTR", "EOPNOTSUPP", *FULL),
    "renameat": ("EIO", "ENOMEM", "EROFS", *FULL),
    "unlink": ("EIO", "ENOMEM", "EROFS", "EACCES"),
    "unlinkat": ("EIO", "ENOMEM", "EROFS", "EACCES"),
    "mkdir": ("EIO", "EROFS", *FULL),
    "mkdirat": ("EIO", "EROFS", *FULL),
    "fstat": ("EIO", "ENOMEM"),
    "fstatat": ("EIO", "ENOMEM", "EACCES"),
    "fstatvfs": ("EIO", "EINTR"),
    "flock": ("EINTR", "ENOLCK"),
}
NET = {
    "socket": ("EMFILE", "ENFILE", "ENOMEM"),
    "bind": ("ENOMEM", "EACCES"),
    "listen": ("EADDRINUSE",),
    "accept4": ("EMFILE", "ENFILE", "ENOMEM", "EINTR", "ECONNABORTED"),
    "connect": ("ENETUNREACH", "ENOMEM", "EAGAIN"),
    "epoll_ctl": ("ENOSPC", "ENOMEM"),
    "epoll_wait": ("EINTR",),
    "recv": ("EINTR", "ECONNRESET", "ENOMEM", "short"),
    "recvmsg": ("EINTR", "ECONNRESET"),
    "send": ("EINTR", "EPIPE", "ENOBUFS", "short"),
}
# Not from there on: no caller could go on.
ONCE_ONLY = {"EINTR", "short"}


def _world(seed, library, upstream, shape, is_fresh):
    world = World(seed, library, upstream, shape)
    if not is_fresh:
        world.die_with_mail()
    return world


def _where(world, place):
    return world.where if place == "disk" else "net"


def measure(figures, job, library, upstream):
    """How often a life makes this call: as a note."""
    seed, shape, is_fresh, place, call = job
    world = _world(seed, library, upstream, shape, is_fresh)
    life = world.live(Plan(_where(world, place), only=(call,)))
    figures.note((shape, is_fresh, place, call), life.calls)


def jobs(seed):
    """All: (seed, shape, is fresh, place, call, at, do, times, every)."""
    tables = {"disk": DISK, "net": NET}
    counts = spread.run(measure, [
        (seed, shape, is_fresh, place, call)
        for shape in sorted(SHAPES) for is_fresh in (True, False)
        for place, table in tables.items() for call in table]).notes
    found = []
    for (*which, place, call), count in sorted(counts.items()):
        for do in tables[place][call]:
            every = range(1, count + 1)
            found += [(*which, place, call, at, do, 1, 1) for at in every]
            if do in ONCE_ONLY:  # every second one
                found.append((*which, place, call, 1, do, ENDLESS, 2))
            elif place == "disk":
                found += [(*which, place, call, at, do, ENDLESS, 1)
                          for at in every]
    random.Random(seed).shuffle(found)
    return [(seed + i, *job) for i, job in enumerate(found)]


def some(count, seed):
    """A few, of which some come too late to be hit."""
    choose = random.Random(seed)
    tables = [("disk", call, does) for call, does in DISK.items()] + \
        [("net", call, does) for call, does in NET.items()]
    found = []
    for i in range(count):
        place, call, does = choose.choice(tables)
        found.append((seed + i, choose.choice(sorted(SHAPES)),
                      choose.random() < 0.5, place, call,
                      choose.randrange(1, 9), choose.choice(does), 1, 1))
    return found


def run(figures, job, library, upstream):
    seed, shape, is_fresh, place, call, at, do, times, every = job
    world = _world(seed, library, upstream, shape, is_fresh)
    plan = Plan(_where(world, place), at, do, (call,), times, every)
    # What can never be recorded is tried for many seconds, to the end.
    may_hang = times == ENDLESS and world.choose.random() < 0.95
    life = world.live(plan, 0.5, 0.5 if may_hang else 60)
    world.settle()
    world.account(figures)
    if life.hits == 0:
        figures.note("lives that ended before their call")
        return
    figures.count += 1
    figures.note("%s %s" % (place, call))
    figures.note("lives that a fault ended", life.status != 0)
    if life.was_killed:
        assert may_hang, "does not end: " + str(life)
    elif not is_good_end(life.status, world.daemon.log()) and \
            not is_unwatched(call, life.status):
        figures.complain(world, ["crashed: status %d" % life.status])


def is_unwatched(call, status):
    """What the daemon's loop needs for itself cannot be watched."""
    return call == "epoll_ctl" and status == -signal.SIGABRT


def is_out_of_memory(status, log):
    """It gave up as it should, or libc did; or libconfig or libc's list of
    groups, which do not look whether they got any, or exit by themselves, took
    it down before it was ready."""
    if status in (-signal.SIGSEGV, 2):
        return " is ready" not in log
    return status == -signal.SIGABRT and not any(
        "src/" in line and "ssertion" in line for line in log.splitlines())


def starve(figures, job, library, upstream):
    """An allocation fails: the daemon aborts, rather than go on without what it
    needs, and the next life has all that was accepted."""
    seed, shape, is_fresh, at = job
    world = _world(seed, library, upstream, shape, is_fresh)
    before = len(world.daemon.log())
    life = world.live(Plan("memory", at, "ENOMEM"))
    log = world.daemon.log()[before:]
    world.settle()
    world.account(figures)
    if life.hits == 0:
        figures.note("lives that ended before their allocation")
        return
    figures.count += 1
    figures.note("lives that it ended: status %d" % life.status,
                 life.status != 0)
    if not is_good_end(life.status, log) and \
            not is_out_of_memory(life.status, log):
        figures.complain(world, ["crashed: status %d" % life.status])


def starving(count, seed):
    """(seed, shape, is fresh, at): anywhere in a life."""
    choose = random.Random(seed)
    measured = spread.run(measure_memory, [
        (seed, shape, is_fresh) for shape in sorted(SHAPES)
        for is_fresh in (True, False)]).notes
    found = []
    for i in range(count):
        shape, is_fresh = choose.choice(sorted(measured))
        found.append((seed + i, shape, is_fresh,
                      choose.randrange(1, measured[shape, is_fresh])))
    return found


def measure_memory(figures, job, library, upstream):
    seed, shape, is_fresh = job
    world = _world(seed, library, upstream, shape, is_fresh)
    life = world.live(Plan("memory"))
    figures.note((shape, is_fresh), life.calls)


def pretend(figures, seed, library, upstream):
    """What a daemon would do that does not write: this must be seen."""
    world = World(seed, library, upstream, "small")
    upstream.may_answer.clear()
    world.begin(Plan(world.where, 1, "pretend", ("pwrite",), ENDLESS))
    for thread in world.work():
        thread.join(60)
    world.daemon.kill()
    upstream.may_answer.set()
    world.end(None)
    upstream.forget_all()
    world.settle()
    world.account(figures)


def is_good_end(status, log):
    """Well, or by sysexits.h, and then the log says why."""
    return status == 0 or 64 <= status <= 78 and "error" in log
