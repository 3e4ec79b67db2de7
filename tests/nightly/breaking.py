"""Real file systems that fail under the daemon, and not by a shim.

    abort      ext4 goes read only, as after an error it does not trust (K11)
    pulled     ext4 or XFS, its device gone, with what its log in memory held
    full-sync  ext4 without a journal on a sparse file that has no room below:
               a sync fails once, and the next one says that all is well (K4)

A cycle: mail comes, and at some moment it happens; nothing is acknowledged that
is not durable; then the daemon is ended, the file system mounted anew, and all
that was accepted must be delivered.  A file system without a journal that has
lost more than contents of files proves nothing, and is not counted.

The kernel itself lies for a moment: of ext4 and XFS, an fdatasync that is under
way while they break may return 0, and what it is about be gone (seen with a
program of ten lines; Linux 6.18).  What was accepted from that moment on is
counted apart.
"""

import math
import os
import time

import disks
from lib import box
from world import World

CASES = (("abort", "ext4"), ("pulled", "ext4"), ("pulled", "xfs"),
         ("full-sync", "ext4-no-journal"))
FULL_BELOW = 6 * disks.MEGA
FULL_ABOVE = 32 * disks.MEGA


def missing(cases=CASES):
    if not os.access("/sys/block/loop0/queue/max_sectors_kb", os.W_OK):
        return "needs /sys to write to, for loop devices"
    return disks.missing(*(kind for _, kind in cases))


def jobs(cycles, seed, cases=CASES):
    return [(seed + i, *cases[i % len(cases)]) for i in range(cycles)]


def _make(case, kind, folder):
    where = os.path.join(folder, "disk")
    os.mkdir(where)
    if case != "full-sync":
        return disks.Disk(kind, folder, where)
    below = os.path.join(folder, "below")
    os.mkdir(below)
    disks.Disk("tmpfs", folder, below, FULL_BELOW)
    disk = disks.Disk(kind, below, where, FULL_ABOVE)
    disk.take_pages_singly()
    return disk


def cycle(figures, job, library, upstream):
    seed, case, kind = job
    folder = box.folder()
    disk = _make(case, kind, folder)
    world = World(seed, library, upstream, at=disk.where)
    assert world.begin(None)
    threads = world.work()
    if case == "full-sync":
        upstream.close()
        box.defer(upstream.reopen)
        _fill_below(world)
        disks.resize(os.path.join(folder, "below"), 4 * FULL_ABOVE)
        upstream.reopen()
        broke_at = math.inf  # below; it itself was never broken
    else:
        time.sleep(world.choose.random() * 0.15)
        broke_at = time.monotonic()
        disk.abort() if case == "abort" else disk.shut_down()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a sender hangs"
    world.by_smtp(("ops", None))
    if not world.daemon.has_ended:
        world.daemon.kill()
    life = world.end(None)
    figures.note("%s on %s: ended with %d" % (case, kind, life.status))
    figures.note("%s on %s: refused" % (case, kind), len(life.refusals))
    disk.umount()
    if case == "full-sync" and not disk.is_sound():
        figures.note("%s: not counted, the file system is damaged" % case)
        return
    disk.mount()
    world.daemon.configure()  # nobody had synced the file
    world.settle()
    world.account(figures, broke_at)
    figures.note("%s on %s: accepted while it broke" % (case, kind), sum(
        letter.accepted and letter.accepted_at >= broke_at
        for letter in world.letters.values()))
    figures.count += 1


def _fill_below(world):
    """Until nothing is taken any more: the syncs begin to fail."""
    refusals = world.lives[-1].refusals
    for _ in range(200):
        if len(refusals) >= 3 or world.daemon.has_ended:
            return
        world.by_smtp(("ops", 200000))
    raise AssertionError("never full below")
