"""A Debian of the tests' own, with the mail programs and servers of others.

It lies in $POSTRIDER_TEST_ROOT (/var/cache/postrider-tests/root), is made once
by debootstrap from the mirror that the host's apt uses, and is never written
to by a test: each works on an overlay of its own that dies with it.  Nothing
is installed on the host.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys

from . import box, tap

ROOT = os.environ.get("POSTRIDER_TEST_ROOT", "/var/cache/postrider-tests/root")
PACKAGES = """
    swaks curl s-nail bsd-mailx mutt git git-email
    libmailtools-perl php-cli msmtp ca-certificates
    python3-aiosmtpd openssl postfix libsasl2-modules libsasl2-modules-db
    sasl2-bin systemd systemd-sysv dbus procps cron
    libc-ares2 libconfig9 libevent-2.1-7 libevent-openssl-2.1-7 libgsasl18
    libidn2-0 libjansson4 libssl3 libxxhash0
""".split()
STAMP = "var/lib/postrider-tests.packages"
LOG = "var/log/postrider-tests.log"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def mirror():
    """The first mirror of the host's apt sources: a list, empty without one
    (debootstrap then takes its own)."""
    folder = "/etc/apt/sources.list.d"
    files = ["/etc/apt/sources.list"]
    if os.path.isdir(folder):
        files += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    for file in files:
        try:
            text = open(file).read()
        except OSError:
            continue
        for uri in re.findall(
                r"^URIs:\s*(\S+)|^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+bookworm\s",
                text, re.M):
            if "debian" in "".join(uri) and "security" not in "".join(uri):
                return ["".join(uri)]
    return []


def _is_ready():
    try:
        return open(os.path.join(ROOT, STAMP)).read().split() == PACKAGES
    except OSError:
        return False


def _run(log, *command):
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C")
    log.write(("+ %s\n" % " ".join(command)).encode())
    log.flush()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                   env=environment, check=True)


def _make(log):
    if not os.path.exists(os.path.join(ROOT, "etc/debian_version")):
        part = ROOT + ".part"
        shutil.rmtree(part, ignore_errors=True)
        _run(log, "debootstrap", "--variant=minbase", "bookworm", part,
             *mirror())
        os.rename(part, ROOT)
    for name in ("resolv.conf", "hosts"):
        if os.path.exists("/etc/" + name):
            shutil.copy("/etc/" + name, ROOT + "/etc/" + name)
    policy = ROOT + "/usr/sbin/policy-rc.d"
    with open(policy, "w") as file:
        file.write("#!/bin/sh\nexit 101\n")  # start nothing
    os.chmod(policy, 0o755)
    _run(log, "chroot", ROOT, "apt-get", "-q", "update")
    _run(log, "chroot", ROOT, "apt-get", "-q", "-y", "--no-install-recommends",
         "install", *PACKAGES)
    _run(log, "chroot", ROOT, "apt-get", "clean")
    with open(os.path.join(ROOT, STAMP), "w") as file:
        file.write("\n".join(PACKAGES) + "\n")


def prepare():
    """Make the root where it is missing; why it cannot be had, or None.

    To be called with the host's network, before box.isolate().
    """
    if os.geteuid() != 0:
        return "needs root"
    if not os.path.exists(os.path.join(ROOT, STAMP)) and \
            shutil.which("debootstrap") is None:
        return "needs debootstrap"
    os.makedirs(os.path.dirname(ROOT), exist_ok=True)
    with open(ROOT + ".lock", "w") as lock, open(ROOT + ".log", "ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_ready():
            return None
        print("# making %s: see %s.log" % (ROOT, ROOT), file=sys.stderr)
        try:
            _make(log)
        except (OSError, subprocess.CalledProcessError) as error:
            return "%s could not be made: %s" % (ROOT, error)
    return None


class Guest:
    """An overlay of the root, with the test's folder at the same path in it."""

    def __init__(self, work):
        self.work = work
        # Beside the work: what a guest's programs own must not be in the way
        # of its removal.
        layers = os.path.join(work, "guest")
        os.mkdir(layers)
        box.mount("tmpfs", layers, "tmpfs")
        self.root = os.path.join(layers, "root")
        for name in ("root", "upper", "scratch"):
            os.mkdir(os.path.join(layers, name))
        box.mount("overlay", self.root, "overlay",
                  "lowerdir=%s,upperdir=%s/upper,workdir=%s/scratch" %
                  (ROOT, layers, layers))
        box.mount("proc", self.root + "/proc", "proc")
        box.mount("tmpfs", self.root + "/run", "tmpfs")
        for name in ("null", "zero", "full", "random", "urandom"):
            self._device("/dev/" + name)
        os.makedirs(self.root + work)
        box.mount(work, self.root + work, bind=True)
        with open(self.root + "/etc/hosts", "w") as file:
            file.write("127.0.0.1 localhost\n::1 localhost\n")
        with open(self.root + "/etc/resolv.conf", "w") as file:
            file.write("nameserver 127.0.0.1\n")  # nobody there: fails at once

    def _device(self, path):
        if not os.path.exists(self.root + path):
            open(self.root + path, "w").close()
        box.mount(path, self.root + path, bind=True)

    def path(self, path):
        return self.root + path

    def install(self, program, path):
        """Put a program of ours into the guest."""
        target = self.path(path)
        if os.path.lexists(target):
            os.unlink(target)
        shutil.copy(program, target)
        os.chmod(target, 0o755)

    def write(self, path, text, mode=0o644):
        target = self.path(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w") as file:
            file.write(text)
        os.chmod(target, mode)

    def environment(self, **more):
        return {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8",
                "LOGNAME": "root", **more}

    def run(self, *command, input=b"", environment={}, check=True, cwd="/"):
        """Run a command in the guest, its output kept."""
        result = subprocess.run(
            ["chroot", self.root, "/usr/bin/env", "-C", cwd, *command],
            input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment(**environment), timeout=60)
        if check and result.returncode != 0:
            raise AssertionError("%s: exit %d\n%s" % (
                " ".join(command), result.returncode,
                result.stdout.decode(errors="replace")))
        return result

    def start(self, *command, output=subprocess.DEVNULL, environment={},
              **options):
        return box.start(["chroot", self.root, *command],
                         stdout=output, stderr=sys.stderr,
                         env=self.environment(**environment), **options)
