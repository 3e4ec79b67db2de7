"""Real power cuts: a copy of the disk's image, taken in one instant while the
daemon writes, is what a machine would find that lost its power then.

A job is one file system: a daemon on it is kept busy by senders; again and
again its image is cloned (one reference to the same blocks: no writer runs
meanwhile), the clone is mounted, which replays the file system's own log, and a
daemon started on it must deliver whatever was accepted before the cut, and had
not been delivered before.
"""

import fcntl
import os
import threading
import time

import disks
from lib import box, relay
from shim import ENDLESS, Plan
from world import Daemon, Upstream, World

KINDS = ("ext4", "xfs", "btrfs")
SIZES = {"ext4": 64, "xfs": 320, "btrfs": 160}      # MiB
HOST_SIZE = 6 * 1024 * disks.MEGA
SENDERS = 3
# Of a second file system that says that it is the first.
CLONE_OPTIONS = {"xfs": ("-o", "nouuid")}
FICLONE = 0x40049409


def missing():
    return disks.missing(*KINDS)


def jobs(cuts, seed, kinds=KINDS):
    """(seed, kind, cuts): at most 25 cuts in one life of a daemon."""
    pieces = [(kind, min(25, cuts - done)) for done in range(0, cuts, 25)
              for kind in kinds]
    return [(seed + i, *piece) for i, piece in enumerate(pieces)]


class Host:
    """Where images lie: a file system that can clone a file."""

    def __init__(self):
        self.folder = box.folder()
        self.where = os.path.join(self.folder, "host")
        os.mkdir(self.where)
        disks.Disk("xfs", self.folder, self.where, HOST_SIZE)

    def make(self, kind):
        where = os.path.join(self.folder, "disk")
        os.mkdir(where)
        disk = disks.Disk(kind, self.where, where, SIZES[kind] * disks.MEGA)
        return disk

    def clone(self, image):
        """As it is in this instant."""
        copy = os.path.join(self.where, "copy")
        with open(image, "rb") as source, open(copy, "wb") as target:
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        return copy


class Senders:
    """Keep a world busy, until they are told to end."""

    def __init__(self, world):
        self.world = world
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=(i,))
                        for i in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def _send(self, number):
        world = self.world
        while not self.done.is_set():
            if number == 0:
                world.by_sendmail()
                world.by_smtp(("refused", None), ("later", None))
                world.by_drop()
            else:
                world.by_smtp(("ops", None), ("ops", world.large_size),
                              ("later", None), ("ops", None))
            self.done.wait(0.02)

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a sender hangs"


class Survivor(Daemon):
    """On a queue that another daemon left."""

    def __init__(self, folder, *upstreams, **settings):
        super().__init__(*upstreams, **settings)
        self.folder = folder
        self.configure()


def cut(figures, job, library, upstream):
    _cut(figures, job, library, upstream, None)


def pretend(figures, job, library, upstream):
    """A daemon that only pretends to sync: this must be seen."""
    _cut(figures, job, library, upstream, ("fdatasync", "fsync"))


def _cut(figures, job, library, upstream, pretended):
    seed, kind, cuts = job
    host = Host()
    disk = host.make(kind)
    world = World(seed, library, upstream, at=disk.where)
    plan = pretended and Plan(world.where, 1, "pretend", pretended, ENDLESS)
    assert world.begin(plan)
    after = Upstream()
    box.defer(after.close)
    senders = Senders(world)
    try:
        for number in range(cuts):
            time.sleep(world.choose.random() * 0.2)
            _one(figures, world, host, disk, after)
            figures.count += 1
            figures.note("cuts on " + kind)
    finally:
        senders.end()
    world.daemon.stop()
    world.end(plan)
    world.settle()
    world.account(figures)


def _one(figures, world, host, disk, after):
    """One cut, and what a daemon makes of it."""
    with world.lock:
        accepted = {letter.name for letter in world.letters.values()
                    if letter.accepted}
    cut_at = time.monotonic()
    copy = host.clone(disk.image)
    received = len(world.upstream.messages)
    where = os.path.join(host.folder, "after")
    os.makedirs(where, exist_ok=True)
    disks.mount(copy, where, *CLONE_OPTIONS.get(disk.kind, ()))
    try:
        assert os.stat(where).st_dev != os.stat(disk.where).st_dev
        _deliver(world, where, after)
        world.account_cut(figures, accepted, cut_at,
                          world.upstream.messages[:received], after.messages)
    finally:
        disks.unmount(where)
        os.unlink(copy)


def _deliver(world, where, after):
    """All that is in the queue there."""
    after.forget_all()
    folder = os.path.join(where, os.path.relpath(
        world.daemon.folder, world.daemon.at))
    daemon = Survivor(folder, relay.upstream(after), start=False,
                      queue=world.daemon.settings["queue"])
    assert daemon.launch({}), "does not start:\n" + daemon.log()[-2000:]
    daemon.do("flush")
    box.until(daemon.is_idle, lambda: "all to go after a cut: %s" % (
        daemon.queue()), 60)
    assert daemon.stop() == 0, "does not end well"
    after.finish()
