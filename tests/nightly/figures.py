"""What a campaign counts, over all its processes, and the line at its end."""

import dataclasses
import os
import random


@dataclasses.dataclass
class Figures:
    count: int = 0
    lost: int = 0
    altered: int = 0
    invented: int = 0
    duplicated: int = 0
    complaints: list = dataclasses.field(default_factory=list)
    notes: dict = dataclasses.field(default_factory=dict)

    def complain(self, world, wrong):
        self.complaints.append("seed %d, %s: %s\n%s\n%s" % (
            world.seed, world.shape, world.what, "\n".join(wrong),
            world.log()))

    def note(self, key, count=1):
        self.notes[key] = self.notes.get(key, 0) + count

    def add(self, other):
        for name in "count", "lost", "altered", "invented", "duplicated":
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.complaints += other.complaints
        for key, count in other.notes.items():
            self.note(key, count)

    @property
    def is_good(self):
        return not (self.complaints or self.lost or self.altered or
                    self.invented)

    def line(self):
        return "figures " + " ".join("%s=%d" % (name, getattr(self, name))
                                     for name in ("count", "lost", "altered",
                                                  "invented", "duplicated"))


def seed():
    """POSTRIDER_TEST_SEED, or one of its own; said in any case."""
    value = int(os.environ.get("POSTRIDER_TEST_SEED") or
                random.SystemRandom().randrange(2 ** 31))
    print("# POSTRIDER_TEST_SEED=%d" % value, flush=True)
    return value
