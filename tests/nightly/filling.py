"""Full disks: filled by mail, then to the last octet or inode, and drained.

A cycle: the upstream is away and mail comes, until it is refused, by 452 and
nothing else; the rest of the disk is filled, and sometimes the daemon killed;
sometimes the upstream is back, but defers all for long; then it takes what
comes, and all that was accepted goes, while the disk is as full as can be; with
room again, mail is taken again, without a restart.
"""

import os
import random
import re

import disks
from lib import box
from world import World

SIZE = 20 * disks.MEGA
# What the daemon keeps for outcomes: half a segment, or a part of the disk.
RESERVE = 32 * disks.MEGA
RESERVE_PART = 6
LETTER = 150000
KINDS = ("ext4", "ext4-few-inodes", "tmpfs", "xfs", "btrfs", "btrfs-quota")
# Where each write takes new room, a start may have to wait for some.
COPIES_ON_WRITE = ("btrfs", "btrfs-quota")
REFUSALS = 3    # in a row, and it is full
# More than what is kept for outcomes would hold, if each took a part of it.
DEFERRALS = 15000
DEFERRING = ("ext4", "ext4-few-inodes", "tmpfs")
SLOW = {"btrfs": 128 * disks.MEGA, "xfs": 320 * disks.MEGA}


def missing():
    return disks.missing("ext4", "tmpfs")


def jobs(cycles, seed, kinds=None):
    """On these kinds of file systems, or on all that there can be here."""
    kinds = kinds or [kind for kind in KINDS if not disks.missing(kind)]
    choose = random.Random(seed)
    return [(seed + i, kinds[i % len(kinds)], choose.choice(
        ("small", "large", "rotate"))) for i in range(cycles)]


def cycle(figures, job, library, upstream):
    seed, kind, shape = job
    folder = box.folder()
    where = os.path.join(folder, "disk")
    os.mkdir(where)
    disk = disks.Disk(kind, folder, where, SLOW.get(kind, SIZE))
    world = World(seed, library, upstream, shape, at=where)
    box.defer(upstream.reopen)
    if kind in SLOW:  # most of it at once: mail alone would take long
        _take_most(disk)
    upstream.close()
    world.begin(None)
    _fill_with_mail(world)
    filler = disk.fill_inodes() if kind == "ext4-few-inodes" else disk.fill()
    world.by_sendmail()
    life = world.lives[-1]
    wrong = [text for text in life.refusals if not is_full_disk(text)]
    if wrong or not life.refusals:
        figures.complain(world, ["not refused by 452: %s" % wrong])
    if world.choose.random() < 0.3:
        _kill(world, figures, kind, filler)
    if kind in DEFERRING and world.choose.random() < 0.5:
        _defer(world, figures)
    upstream.reopen()
    world.daemon.do("flush")
    _drain(world, figures, kind)
    disks.remove(filler)
    box.until(lambda: _is_taken(world), lambda: (
        "mail to be taken again: %s\n%s\n%s" % (
            life.refusals[-2:], disk.describe(), world.log())))
    world.daemon.stop()
    world.end(None)
    world.settle()
    world.account(figures)
    figures.count += 1
    figures.note("cycles on " + kind)


def _kill(world, figures, kind, filler):
    figures.note("killed while the disk was full")
    world.daemon.kill()
    world.end(None)
    if not world.begin(None):
        assert kind in COPIES_ON_WRITE, \
            "does not start on a full disk:\n" + world.log()
        figures.note("started on a full %s only when it had room" % kind)
        world.end(None)
        disks.remove(filler)
        assert world.begin(None), "does not start:\n" + world.log()


def _defer(world, figures):
    upstream = world.upstream
    upstream.is_busy = True
    upstream.reopen()
    world.daemon.do("flush")
    box.until(lambda: upstream.deferrals >= DEFERRALS, lambda: (
        "so many deferrals: %d\n%s" % (upstream.deferrals, world.log())), 120)
    upstream.is_busy = False
    figures.note("deferred for long while the disk was full")


def _drain(world, figures, kind):
    try:
        world.daemon.wait_empty(60)
    except AssertionError:
        raise AssertionError("a full disk does not drain:\n" + world.log())
    figures.note("drained by a full " + kind)
    figures.note("letters that a full disk let go",
                 len(world.upstream.messages))


def is_full_disk(text):
    """452 of the daemon; 75 of sendmail, who says why."""
    return re.search(r"\b452\b", text) or text.startswith("sendmail: 75")


def _take_most(disk):
    free = os.statvfs(disk.where)
    reserve = min(RESERVE, free.f_blocks * free.f_frsize // RESERVE_PART)
    octets = free.f_bavail * free.f_frsize - SIZE - reserve
    with open(os.path.join(disk.where, "most"), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, octets)


def _fill_with_mail(world):
    """Until it is refused, some times in a row."""
    refusals = world.lives[-1].refusals
    in_a_row = 0
    for _ in range(1000):
        before = len(refusals)
        world.by_smtp(("ops", LETTER))
        in_a_row = in_a_row + 1 if len(refusals) > before else 0
        if in_a_row == REFUSALS:
            return
    raise AssertionError("a disk of %d octets is never full" % SIZE)


def _is_taken(world):
    world.by_smtp(("ops", None))
    return list(world.letters.values())[-1].accepted
