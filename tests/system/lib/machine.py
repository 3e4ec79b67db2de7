"""A guest booted: systemd as the first process of namespaces of its own.

The network is the test's, everything else its own.  What runs in it is ended
with its control group.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from . import box, guest, tap

# Runs as the first process, in its new namespaces: $1 is the root.
BOOT = r"""
set -e
mount --make-rprivate /
cd "$1"
umount -l proc
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
	: > dev/$name
	mount --bind /dev/$name dev/$name
done
mkdir dev/shm dev/pts .before
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
pivot_root . .before
umount -l /.before
# Without this LoadCredential= comes out empty.
mount --make-rshared /
hostname machine
exec env -i container=test PATH="$2" /lib/systemd/systemd --system
"""


def missing():
    """For needs=: why none can be booted, or None."""
    why = tap.no_guest()
    if why:
        return why
    for tool in "unshare", "nsenter", "pivot_root", "mount":
        if shutil.which(tool) is None:
            return "needs " + tool
    try:
        with _groups() as folder:
            path = os.path.join(folder, "postrider-try.%d" % os.getpid())
            os.mkdir(path)
            os.rmdir(path)
    except OSError as error:
        return "needs a control group of its own: %s" % error
    return None


@contextlib.contextmanager
def _groups():
    """The cgroup2 hierarchy, mounted where nobody else sees it."""
    folder = box.folder("postrider-groups.")
    box.mount("cgroup2", folder, "cgroup2")
    yield folder


class Machine(guest.Guest):
    """To be filled as any guest, then boot()ed."""

    def boot(self):
        with _groups() as folder:
            self.group = os.path.join(folder, "postrider-test.%d.%d" % (
                os.getpid(), time.monotonic_ns()))
        os.mkdir(self.group)
        box.defer(self._end)
        self.log_file = open(os.path.join(self.work, "boot.log"), "wb")
        box.defer(self.log_file.close)
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"',
             "sh", self.group, "unshare", "--pid", "--mount", "--uts", "--ipc",
             "--cgroup", "--fork", "--kill-child", "/bin/sh", "-c", BOOT, "sh",
             self.root, guest.PATH],
            stdin=subprocess.DEVNULL, stdout=self.log_file,
            stderr=self.log_file, start_new_session=True)
        tap.on_failure(self._tell)
        box.until(self._is_up, "systemd", 60)

    def _is_up(self):
        assert self.process.poll() is None, open(self.log_file.name).read()
        text = self.do("systemctl", "is-system-running", check=False)
        return text.strip() in ("running", "degraded")

    def _end(self):
        with open(os.path.join(self.group, "cgroup.kill"), "w") as file:
            file.write("1")
        self.process.wait(20)
        for folder, _, _ in os.walk(self.group, topdown=False):
            box.until(lambda: _removed(folder), "control groups to empty")

    def _tell(self):
        for line in self.do("journalctl", "-u", "postrider*", "-n", "40",
                            "--no-pager", "-o", "short-monotonic",
                            check=False).splitlines():
            tap.note("journal: " + line[:250])

    def first_process(self):
        """Its systemd, as we see it."""
        path = "/proc/%d/task/%d/children" % (self.process.pid,
                                              self.process.pid)
        with open(path) as file:
            children = file.read().split()
        return children[0] if children else None

    def do(self, *command, check=True, input=b"", **more):
        """Run a command in there; its output."""
        pid = self.first_process()
        if pid is None:
            return ""
        result = subprocess.run(
            ["nsenter", "--target", pid, "--mount", "--uts", "--ipc", "--pid",
             "--cgroup", "--root", "--wd", *command], input=input,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            env=self.environment(SYSTEMD_COLORS="0", **more))
        text = result.stdout.decode(errors="replace")
        assert not check or result.returncode == 0, "%s: exit %d\n%s" % (
            " ".join(command), result.returncode, text)
        return text

    def property(self, unit, name):
        return self.do("systemctl", "show", "-P", name, unit).strip()

    def journal(self, unit):
        return self.do("journalctl", "-u", unit, "--no-pager", "-o", "cat")


def _removed(folder):
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
