"""A campaign's jobs, spread over processes, and how it ends."""

import multiprocessing
import os
import sys
import tempfile
import time
import traceback

import shim
from figures import Figures
from lib import box
from world import Upstream

SHOWN_MAX = 20

_tools = {}


def _prepare(library):
    _tools["library"] = library
    _tools["upstream"] = Upstream()


def _do(task):
    """One job, in one of the processes: its figures."""
    function, job = task
    figures = Figures()
    try:
        function(figures, job, _tools["library"], _tools["upstream"])
    except Exception:
        figures.complaints.append("job %s:\n%s" % (
            job, traceback.format_exc()))
    finally:
        box.cleanup()
    return figures


def run(function, jobs, shows=True):
    """function(figures, job, library, upstream) for all jobs; all figures.

    shows: complaints at once, and now and then how far it is.
    """
    total = Figures()
    said = time.monotonic()
    # Not a box.folder(): each job's cleanup would take it away.
    with tempfile.TemporaryDirectory(prefix="postrider-test.") as folder, \
            multiprocessing.Pool(2 * os.cpu_count(), _prepare,
                                 (shim.build(folder),)) as pool:
        tasks = [(function, job) for job in jobs]
        for done, figures in enumerate(pool.imap_unordered(_do, tasks), 1):
            if shows:
                _show(figures.complaints, total)
            total.add(figures)
            if shows and time.monotonic() - said > 30:
                said = time.monotonic()
                print("# %d of %d: %s" % (done, len(jobs), total.line()),
                      flush=True)
    return total


def _show(complaints, total):
    """At once, while there are few."""
    for complaint in complaints:
        if len(total.complaints) < SHOWN_MAX:
            print("# " + complaint.replace("\n", "\n# "), flush=True)


def needs(why_not):
    """Exit where it cannot run."""
    if why_not:
        print(why_not)
        sys.exit(77)


def end(total):
    """Say all of it, and exit."""
    for key in sorted(total.notes):
        print("# %6d %s" % (total.notes[key], key))
    if total.complaints:
        print("# %d complaints" % len(total.complaints))
    print(total.line(), flush=True)
    sys.exit(0 if total.is_good else 1)
