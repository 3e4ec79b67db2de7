"""A place of its own for each test program: network, mounts, processes, files.

isolate() runs the program again in namespaces of its own, where that is
allowed: no interface but lo, mounts that nobody else sees, and processes that
cannot outlive it.  Elsewhere the test runs as it is, with what cleanup() ends.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

_INSIDE = "POSTRIDER_TEST_INSIDE"
_stack = contextlib.ExitStack()
_lasting = contextlib.ExitStack()

BUILD = os.environ.get("BUILD_DIR", ".")
SOURCE = os.environ.get("SOURCE_DIR", ".")


def program(name):
    return os.path.join(os.path.abspath(BUILD), name)


# ---- namespaces ----

def is_isolated():
    return _INSIDE in os.environ


def isolate():
    if is_isolated() or os.geteuid() != 0:
        return
    unshare = ["unshare", "--net", "--mount", "--ipc", "--pid", "--fork",
               "--mount-proc", "--kill-child"]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode:
        return
    os.environ[_INSIDE] = "yes"
    os.execvp("unshare", [*unshare, sys.executable, "-B", *sys.argv])


def lo_up():
    """What `ip link set lo up` does, where there is no ip."""
    siocgifflags, siocsifflags, iff_up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, siocgifflags, request)
        flags = struct.unpack("16sh14x", answer)[1] | iff_up
        fcntl.ioctl(any_socket, siocsifflags,
                    struct.pack("16sh14x", b"lo", flags))


def lo_add(address):
    """Make the network (/24) of an address that is not loopback's our own.

    To a daemon all of it is foreign: it judges by the address.
    """
    siocsifaddr = 0x8916
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocsifaddr, struct.pack(
            "16sHH4s8x", b"lo:1", socket.AF_INET, 0,
            socket.inet_aton(address)))


def mount(what, where, kind="", options="", bind=False):
    """Only seen in here, and gone with us."""
    ms_bind, ms_rec = 4096, 16384
    libc = ctypes.CDLL(None, use_errno=True)
    flags = ms_bind | ms_rec if bind else 0
    if libc.mount(what.encode(), where.encode(), kind.encode() or None, flags,
                  options.encode() or None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "mount %s: %s" % (where, os.strerror(error)))
    _stack.callback(libc.umount2, where.encode(), 2)  # 2: lazily


# ---- what ends with a test ----

def defer(function, *arguments):
    _stack.callback(function, *arguments)


def cleanup():
    """End and remove everything since the last cleanup, last things first."""
    _stack.close()


def end_lasting():
    """The same for what was begun within lasting()."""
    _lasting.close()


@contextlib.contextmanager
def lasting():
    """What begins in here serves many points: a cleanup leaves it alone."""
    global _stack
    passing, _stack = _stack, _lasting
    try:
        yield
    finally:
        _stack = passing


def is_lasting():
    return _stack is _lasting


def folder(prefix="postrider-test."):
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o755)  # other users' programs work in it
    _stack.callback(shutil.rmtree, path, True)
    return path


def end(process, number=signal.SIGKILL):
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def start(command, **options):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    _stack.callback(end, process)
    return process


# ---- waiting ----

def until(condition, what, seconds=20):
    """Wait until condition() is true, and return its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s in vain: %s" % (
                seconds, what() if callable(what) else what))
        time.sleep(0.01)
