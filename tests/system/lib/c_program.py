"""C programs that are linked with libpostrider, as its users' are."""

import os
import subprocess

from . import box

HEADER = os.path.join(box.SOURCE, "src/lib/postrider/smtp.h")
LIBRARY = box.program(".libs/libpostrider.so")


def missing():
    """Why there can be none, or None: sanitizers are not for a program that was
    built without them."""
    symbols = subprocess.run(["nm", "-D", LIBRARY], check=True,
                             capture_output=True, text=True).stdout
    if "__asan_" in symbols or "__tsan_" in symbols:
        return "the library is built with a sanitizer"
    return None


def build(source, *options):
    """The path of the program."""
    program = os.path.join(box.folder(), os.path.basename(source)[:-2])
    subprocess.run([*os.environ.get("CC", "cc").split(), "-Wall", "-Wextra",
                    "-Werror", "-o", program,
                    "-I", os.path.dirname(os.path.dirname(HEADER)), source,
                    LIBRARY, "-Wl,-rpath," + os.path.dirname(LIBRARY),
                    *options], check=True)
    return program
