"""Small real file systems on loop devices, to be filled, cut off and broken."""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile

from lib import box

MEGA = 1024 * 1024
# The command, the smallest size in MiB that it makes, and its package.
MAKERS = {
    "ext4": (("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"), 16,
             "e2fsprogs"),
    "ext4-few-inodes": (("mkfs.ext4", "-q", "-F", "-N", "48"), 16,
                        "e2fsprogs"),
    "ext4-no-journal": (("mkfs.ext4", "-q", "-F", "-O", "^has_journal"), 16,
                        "e2fsprogs"),
    "xfs": (("mkfs.xfs", "-q", "-f", "-m", "reflink=1"), 320, "xfsprogs"),
    "btrfs": (("mkfs.btrfs", "-q", "-f"), 128, "btrfs-progs"),
    "btrfs-quota": (("mkfs.btrfs", "-q", "-f"), 600, "btrfs-progs"),
}
# What its mail may take is less than what it has.
QUOTA = 60 * MEGA


def missing(*kinds):
    """Why there can be none of these, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not box.is_isolated():
        return "needs a mount namespace of its own"
    for kind in kinds:
        if kind != "tmpfs" and shutil.which(MAKERS[kind][0][0]) is None:
            return "needs %s, of %s" % (MAKERS[kind][0][0], MAKERS[kind][2])
    try:
        with tempfile.TemporaryDirectory() as folder:
            where = os.path.join(folder, "try")
            os.mkdir(where)
            Disk("ext4", folder, where).remove()
    except (OSError, subprocess.CalledProcessError) as error:
        return "needs loop devices: %s" % error
    return None


def _do(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Disk:
    """A file system of its own, mounted at where."""

    def __init__(self, kind, folder, where, size=None):
        """Its image is made in folder; size is in octets."""
        self.kind, self.where = kind, where
        self.image = os.path.join(folder, "image")
        if kind == "tmpfs":
            _do("mount", "-t", "tmpfs", "-o", "size=%d" % (size or 16 * MEGA),
                "tmpfs", where)
        else:
            command, least, _ = MAKERS[kind]
            with open(self.image, "wb") as file:
                file.truncate(max(size or 0, least * MEGA))
            _do(*command, self.image)
            self.mount()
        box.defer(self.remove)
        if kind == "btrfs-quota":
            _do("btrfs", "quota", "enable", where)
            _do("btrfs", "qgroup", "limit", str(QUOTA), where)

    def mount(self):
        mount(self.image, self.where)

    def take_pages_singly(self):
        """A loop device calls a write well that was cut short by a full disk
        below; one of a single page is done or fails."""
        with open("/proc/self/mounts") as file:
            device = [line.split()[0] for line in file
                      if line.split()[1] == self.where][-1]
        path = "/sys/block/%s/queue/max_sectors_kb" % os.path.basename(device)
        with open(path, "w") as file:
            file.write("4")

    def umount(self):
        unmount(self.where)

    def remove(self):
        if os.path.ismount(self.where):
            subprocess.run(["umount", "-l", self.where], check=True)

    def describe(self):
        facts = os.statvfs(self.where)
        files = ["%s %d" % (path[len(self.where):], os.stat(path).st_size)
                 for folder, _, names in os.walk(self.where)
                 for path in (os.path.join(folder, name) for name in names)]
        return "%s: %d octets free: %s" % (
            self.kind, facts.f_bavail * facts.f_frsize, ", ".join(files))

    # -- filling --

    def fill(self):
        """To the last octet: the file to be removed."""
        path = os.path.join(self.where, "filler")
        with open(path, "ab") as file:
            for piece in MEGA, 4096, 1:
                try:
                    while True:
                        os.write(file.fileno(), bytes(piece))
                        os.fsync(file.fileno())
                except OSError:
                    pass
        return path

    def fill_inodes(self):
        """To the last inode: the folder to be removed."""
        path = os.path.join(self.where, "fillers")
        try:
            os.mkdir(path)
            for number in range(10 ** 6):
                open(os.path.join(path, "%d" % number), "x").close()
        except OSError:
            pass
        return path

    def is_sound(self):
        """ext4, unmounted: there is nothing to mend."""
        return subprocess.run(["e2fsck", "-fn", self.image],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    # -- breaking --

    def shut_down(self):
        """As if its device were pulled out: nothing more is read or written,
        and what the log in memory holds is gone."""
        ioc_shutdown, no_flush_of_log = 0x8004587d, 2
        fd = os.open(self.where, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, ioc_shutdown, struct.pack("I", no_flush_of_log))
        finally:
            os.close(fd)

    def abort(self):
        """As after an error that the file system does not trust any more: read
        only from now on, whoever has what open.  ext4."""
        _do("mount", "-o", "remount,abort", self.where)


def resize(where, size):
    """A tmpfs."""
    _do("mount", "-o", "remount,size=%d" % size, where)


def mount(image, where, *options):
    _do("mount", "-o", "loop", *options, image, where)


def unmount(where):
    _do("umount", where)


def remove(path):
    """A file, or a folder of files, if it is there."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)
