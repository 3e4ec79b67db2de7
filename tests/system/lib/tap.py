"""Test points in the order they are written, told as TAP.

    @test("a sentence that is true")
    def _():
        ...

    run()           at the end of the file; run(with_guest=True) where points
                    need the root with other people's programs, and layers

A point fails by an exception, skips by Skip.  What it returns is a text to put
behind its name: how things were that the test does not decide.
"""

import os
import signal
import sys
import time
import traceback

from . import box, guest

POINT_SECONDS = 120

_points = []


class Skip(Exception):
    """Raised by a point that cannot be tested here."""


def test(name, needs=None):
    """needs: a function that says why not, or None."""
    def add(function):
        _points.append((name, function, needs))
        return function
    return add


def note(text):
    """Something worth reading that is no result."""
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def _on_alarm(number, frame):
    raise AssertionError("not over after %d s" % POINT_SECONDS)


def _say(ok, number, name, told="", skipped=""):
    print("%s %d - %s%s%s" % ("ok" if ok else "not ok", number, name,
                              ": " + told if told else "",
                              " # SKIP " + skipped if skipped else ""),
          flush=True)


def _tell(error):
    """Where in the test, and what."""
    for frame in traceback.extract_tb(error.__traceback__)[1:]:
        note("%s:%d: %s" % (os.path.basename(frame.filename), frame.lineno,
                            frame.line))
    note("%s: %s" % (type(error).__name__, error))


def _run_point(number, name, function, needs):
    started = time.monotonic()
    why_not = needs() if needs is not None else None
    if why_not:
        _say(True, number, name, skipped=why_not)
        return
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(POINT_SECONDS)
    try:
        _say(True, number, name, function() or "")
    except Skip as skip:
        _say(True, number, name, skipped=str(skip))
    except Exception as error:
        _say(False, number, name)
        _tell(error)
        for tell in _witnesses + _lasting_witnesses:
            tell()
    finally:
        signal.alarm(0)
        _witnesses.clear()
        box.cleanup()
        print("%.1f s: %s" % (time.monotonic() - started, name),
              file=sys.stderr, flush=True)


_witnesses = []
_lasting_witnesses = []


def on_failure(tell):
    """tell() is asked to note() what it knows when this point fails, or any
    from now on where it is called within box.lasting()."""
    (_lasting_witnesses if box.is_lasting() else _witnesses).append(tell)


_WHY = "POSTRIDER_TEST_NO_GUEST"


def no_guest():
    """For needs=: why there is no root with other people's programs."""
    if not box.is_isolated():
        return os.environ.get(_WHY) or "needs namespaces"
    return os.environ.get(_WHY)


def no_root():
    return None if box.is_isolated() else "needs root"


def run(with_guest=False, layers=()):
    if with_guest and not box.is_isolated():
        why = guest.prepare(layers)
        if why:
            os.environ[_WHY] = why
    for name in "postriderd", "postrider", "sendmail":
        if not os.path.exists(box.program(name)):
            print("Bail out! there is no " + box.program(name))
            sys.exit(1)
    box.isolate()
    if box.is_isolated():
        box.lo_up()
    wanted = sys.argv[1:]  # parts of names, when run by hand
    points = [point for point in _points
              if not wanted or any(part in point[0] for part in wanted)]
    for number, point in enumerate(points, 1):
        _run_point(number, *point)
    box.end_lasting()
    print("1..%d" % len(points), flush=True)
