"""A Debian of the tests' own, with the mail programs and servers of others.

It lies in $POSTRIDER_TEST_ROOT (/var/cache/postrider-tests/root), is made once
by debootstrap from the mirror that the host's apt uses, and is never written
to by a test: each works on an overlay of its own that dies with it.  Nothing
is installed on the host.

Programs that do not go together, as two mail servers, lie in layers: folders
beside the root, with what their packages hold, for an overlay to put on top.
Nothing in them is set up: users, settings and so on are their test's to make.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile

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
BACKPORTS = "bookworm-backports"
# Debian's packages, and those that npm fetches into /srv.  (The OpenSMTPD of
# bookworm itself cannot do TLS with the OpenSSL there.)
LAYERS = {
    "exim": (["exim4-daemon-heavy"], []),
    "opensmtpd": (["opensmtpd/" + BACKPORTS], []),
    "smtp-server": (["nodejs"], ["smtp-server@3.18.5"]),
}
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


# ---- layers ----

def _layer(name):
    return ROOT + "." + name


def _packages(name):
    """What the layer is to hold; npm itself where the host has none."""
    packages, modules = LAYERS[name]
    if modules and not shutil.which("npm"):
        packages = [*packages, "npm"]
    return packages, modules


def _contents(name):
    return "\n".join(sum(_packages(name), [])) + "\n"


def _layer_is_ready(name):
    try:
        return open(_layer(name) + ".packages").read() == _contents(name)
    except OSError:
        return False


def _unpack(log, archive, folder):
    """As dpkg does, which follows links that are folders here."""
    with subprocess.Popen(["chroot", ROOT, "dpkg-deb", "--fsys-tarfile",
                           archive], stdout=subprocess.PIPE,
                          stderr=log) as unpacked:
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", folder],
                       stdin=unpacked.stdout, stdout=log, stderr=log,
                       check=True)
    if unpacked.returncode != 0:
        raise OSError("%s cannot be unpacked" % archive)


def _npm(log, folder, modules):
    """npm, the host's or else the layer's, fetches the modules into /srv."""
    install = ["npm", "install", "--no-audit", "--no-fund", "--omit=dev",
               *modules, "--prefix"]
    os.makedirs(folder + "/srv", exist_ok=True)
    if shutil.which("npm"):
        _run(log, *install, folder + "/srv")
        return
    script = """
        mount -t overlay overlay -o "lowerdir=$1:$2" "$3"
        mount --bind "$1/srv" "$3/srv"
        mount -t proc proc "$3/proc"
        mount --bind /dev "$3/dev"
        [ ! -d /etc/ssl ] || mount --bind /etc/ssl "$3/etc/ssl"
        root=$3
        shift 3
        HOME=/srv exec chroot "$root" "$@"
    """
    with tempfile.TemporaryDirectory() as mounted:
        _run(log, "unshare", "--mount", "sh", "-euc", script, "sh", folder,
             ROOT, mounted, *install, "/srv", "--cache", "/srv/cache")
    shutil.rmtree(folder + "/srv/cache", ignore_errors=True)


def _download(log, packages, folder):
    """The packages, and what they need, into a folder of the root."""
    apt = ["chroot", ROOT, "apt-get", "-q", "-o", "Dir::Cache::Archives=" +
           folder, "-o", "Dir::Etc::SourceParts=" + folder + "/sources"]
    for part in "partial", "sources":
        os.makedirs(os.path.join(ROOT + folder, part), exist_ok=True)
    if any(BACKPORTS in package for package in packages):
        with open(ROOT + "/etc/apt/sources.list") as file:
            sources = file.read().replace("bookworm", BACKPORTS)
        with open(ROOT + folder + "/sources/backports.list", "w") as file:
            file.write(sources)
    _run(log, *apt, "update")
    _run(log, *apt, "-y", "--download-only", "--no-install-recommends",
         "install", *packages)
    return [os.path.join(folder, name)
            for name in sorted(os.listdir(ROOT + folder))
            if name.endswith(".deb")]


def _make_layer(log, name):
    packages, modules = _packages(name)
    part = _layer(name) + ".part"
    archives = "/var/cache/apt/" + name
    shutil.rmtree(part, ignore_errors=True)
    for link in "bin", "sbin", "lib", "lib64":
        os.makedirs(os.path.join(part, "usr", link))
        os.symlink("usr/" + link, os.path.join(part, link))
    for archive in _download(log, packages, archives):
        _unpack(log, archive, part)
    shutil.rmtree(ROOT + archives)
    if modules:
        _npm(log, part, modules)
    shutil.rmtree(_layer(name), ignore_errors=True)
    os.rename(part, _layer(name))
    with open(_layer(name) + ".packages", "w") as file:
        file.write(_contents(name))


def _make_missing(log, layers):
    if not _is_ready():
        print("# making %s: see %s.log" % (ROOT, ROOT), file=sys.stderr)
        _make(log)
    for name in layers:
        if not _layer_is_ready(name):
            print("# making %s: see %s.log" % (_layer(name), ROOT),
                  file=sys.stderr)
            _make_layer(log, name)


def _reason(error):
    if isinstance(error, subprocess.CalledProcessError):
        return "%s exited with %d" % (error.cmd[0], error.returncode)
    return str(error)


def prepare(layers=()):
    """Make the root and the layers where they are missing; why they cannot be
    had, or None.

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
        try:
            _make_missing(log, layers)
        except (OSError, subprocess.CalledProcessError) as error:
            return "%s could not be made: %s; see %s.log" % (
                " with ".join([ROOT, *layers]), _reason(error), ROOT)
    return None


class Guest:
    """An overlay of the root and of layers, with the test's folder at the same
    path in it."""

    def __init__(self, work, layers=()):
        self.work = work
        # Beside the work: what a guest's programs own must not be in the way
        # of its removal.
        place = os.path.join(work, "guest")
        os.mkdir(place)
        box.mount("tmpfs", place, "tmpfs")
        self.root = os.path.join(place, "root")
        for name in ("root", "upper", "scratch"):
            os.mkdir(os.path.join(place, name))
        box.mount("overlay", self.root, "overlay",
                  "lowerdir=%s,upperdir=%s/upper,workdir=%s/scratch" % (
                      ":".join([*map(_layer, layers), ROOT]), place, place))
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

    def start(self, *command, output=subprocess.DEVNULL, errors=None,
              environment={}, **options):
        return box.start(["chroot", self.root, *command],
                         stdout=output, stderr=errors or sys.stderr,
                         env=self.environment(**environment), **options)
