"""A daemon that is mistreated, those who send through it, and the accounts.

    world = World(seed, library)
    world.live(plan)        a life of the daemon: mail comes, until it ends
    world.settle()          a life without trouble, until nothing waits
    world.account(figures)  what was lost, altered, invented, duplicated

What is promised is counted, not believed: a letter is accepted when its sender
was told so (250, exit 0, a file that lies whole in the drop directory).
"""

import math
import os
import random
import re
import signal
import smtplib
import subprocess
import tempfile
import threading
import time

import shim
from lib import box, letters, relay, sink

DOMAIN = "example.net"
SENDER = "me@site.example"
# So long before a daemon's death an outcome is durable: the committer's
# patience is 20 ms, and the rest is for a machine that has no time for it.
DURABLE_SECONDS = 20
# Files of a daemon that would not lie where its queue is.
OUTSIDE = ("log", "smtp.sock", "admin.sock")
SHAPES = {
    # What the queue has of segments, and how long letters are: (all, large).
    "small": ('segment_size = "64M"; inline_limit = "4K";', 300, 9000),
    "large": ('segment_size = "64M"; inline_limit = "1K";', 3000, 400000),
    "rotate": ('segment_size = "1M"; inline_limit = "1M";', 200, 520000),
}


BUSY = "451 4.3.2 " + "come back later, " * 25


class Upstream(sink.Sink):
    """Does to each letter what its recipient's name says:

    ops       takes it
    cut       takes it, and is gone before it says so, once
    later     refuses it with 450, once
    refused   refuses it with 550

    Where it is_busy, it defers them all.
    """

    def __init__(self):
        self.life = 0
        self.running = 0
        self.known = set()
        self.is_busy = False
        self.deferrals = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        super().__init__()
        self.answer = self._answer

    def _answer(self, verb, argument, session):
        if verb == "CONNECT":
            session.life = self.life
            with self._lock:
                self.running += 1
        if verb == "RCPT" and self.is_busy:
            with self._lock:
                self.deferrals += 1
            return BUSY
        if verb == "RCPT":
            return self._judge(argument)
        if verb == "END":
            self.may_answer.wait(30)
            if self._is_first("cut", argument.recipients[0]):
                argument.was_cut = True
                self.keep(argument)
                return "close"
        return None

    def _is_first(self, kind, address):
        if not address.startswith(kind) or address in self.known:
            return False
        self.known.add(address)
        return True

    def _judge(self, argument):
        address = argument.removeprefix("TO:<")
        if address.startswith("refused"):
            return "550 5.1.1 nobody"
        if self._is_first("later", address):
            return "450 4.2.0 not now"
        return None

    def keep(self, message):
        message.life = message.session.life
        message.at = time.monotonic()
        message.was_cut = getattr(message, "was_cut", False)
        super().keep(message)

    def forget(self, session):
        with self._lock:
            self.running -= hasattr(session, "life")
        super().forget(session)

    def reopen(self):
        """Be there, after a close() or not."""
        if self._listener is None:
            self.open()

    def forget_all(self):
        """As if nothing had happened yet."""
        self.messages.clear()
        self.known.clear()
        self.faults.clear()
        self.is_busy = False
        self.deferrals = 0

    def finish(self):
        """Nobody is left of those who were connected: all they said is read.

        They are taken in order, so that we come behind all of them.
        """
        if self._listener is None:
            return
        with smtplib.SMTP("127.0.0.1", self.port, "last.example") as client:
            client.noop()
        box.until(lambda: self.running == 0, "the upstream's sessions to end")


class Letter:
    def __init__(self, name, kind, way, body):
        self.name, self.kind, self.way = name, kind, way
        self.recipient = "%s.%s@%s" % (kind, name, DOMAIN)
        self.text = letters.letter(name, body, self.recipient, SENDER)
        self.accepted = False
        self.accepted_at = None
        self.lives = None       # of the daemon, from when to when it was sent


    def accept(self):
        self.accepted = True
        self.accepted_at = time.monotonic()


class Life:
    """One run of the daemon, from its start to its end."""

    def __init__(self, number):
        self.number = number
        self.status = None      # its exit status, or less than 0: a signal
        self.ended_at = None
        self.was_killed = False  # by us, because it took too long to end
        self.calls = self.hits = 0
        self.hit = ""           # the first call that was hit, and its file
        self.plan = None
        self.refusals = []

    def __str__(self):
        return "life %d: %s: %s, status %s, %d calls%s%s" % (
            self.number, self.plan or "left alone", self.hit or "never hit",
            self.status, self.calls, "; refused: " if self.refusals else "",
            "; ".join(self.refusals))

    @property
    def cannot_know(self):
        """A reply was cut, or no outcome could become durable any more."""
        return self.hits > 0 and self.plan.fails and (
            self.plan.where == "net" or self.plan.times > 1)

    @property
    def ended_well(self):
        return self.status == 0


class Daemon(relay.Relay):
    def __init__(self, *upstreams, at=None, **settings):
        """at: the folder to be in, on a file system that is to suffer; what
        is not the daemon's own remains elsewhere."""
        self.at = at
        self.outside = box.folder()
        before, tempfile.tempdir = tempfile.tempdir, at
        try:
            super().__init__(*upstreams, **settings)
        finally:
            tempfile.tempdir = before

    def path(self, name):
        return super().path(name) if name not in OUTSIDE else \
            os.path.join(self.outside, name)

    def configure(self, **settings):
        super().configure(**settings)
        with open(self.path("postrider.conf"), "r+") as file:
            text = file.read()
            for name in OUTSIDE:
                text = text.replace('"%s"' % name, '"%s"' % self.path(name))
            file.seek(0)
            file.write(text)

    def launch(self, environment):
        """Whether it has become ready; else it has ended."""
        with open(self.path("log"), "ab") as log:
            self.process = box.start(self.command(), stderr=log,
                                     env={**os.environ, **environment})
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            if self.answers():
                return True
            assert time.monotonic() < deadline, "neither ready nor ended"
            time.sleep(0.002)
        return False

    @property
    def has_ended(self):
        return self.process.poll() is not None

    def waiting(self):
        """Files in the drop directory, and on their way from it.

        A hidden one is not ready, and its sender was told nothing yet.
        """
        return [name for folder in ("drop", "drop.taken")
                if os.path.isdir(self.path(folder))
                for name in os.listdir(self.path(folder))
                if not name.startswith(".")]

    def is_idle(self):
        try:
            return self.is_empty() and not self.waiting()
        except (OSError, ValueError, relay.http.client.HTTPException):
            return False


class World:
    def __init__(self, seed, library, upstream, shape=None, at=None,
                 limits=""):
        self.seed = seed
        self.choose = random.Random(seed)
        self.library = library
        self.upstream = upstream
        upstream.forget_all()
        self.shape = shape or self.choose.choice(sorted(SHAPES))
        queue, self.size, self.large_size = SHAPES[self.shape]
        self.daemon = Daemon(relay.upstream(upstream), start=False,
                             queue='retry = [ "50ms" ]; ' + queue, at=at,
                             limits=limits)
        self.letters = {}
        self.lives = []
        self.lock = threading.Lock()

    @property
    def what(self):
        return "\n".join(str(life) for life in self.lives)

    @property
    def where(self):
        """For a plan: the folders whose files matter."""
        return ":".join(self.daemon.path(name) for name in (
            "queue", "drop", "drop.taken", "drop.failed", *OUTSIDE[1:]))

    # -- sending --

    def _new(self, kind, way, size=None):
        size = size or self.size
        with self.lock:
            name = "s%d-%d" % (self.seed, len(self.letters))
            body = "".join("%s %x\n" % (name, self.choose.getrandbits(200))
                           for _ in range(max(1, size // 60)))
            letter = Letter(name, kind, way, body)
            self.letters[name] = letter
        letter.lives = [len(self.lives), len(self.lives)]
        return letter

    def by_smtp(self, *kinds):
        """Letters over one connection; the first failure ends it."""
        try:
            with self.daemon.smtp() as client:
                for kind, size in kinds:
                    letter = self._new(kind, "smtp", size)
                    client.sendmail(SENDER, letter.recipient,
                                    letters.crlf(letter.text))
                    letter.accept()
        except (OSError, smtplib.SMTPException) as error:
            self.refused(error)

    def refused(self, error):
        with self.lock:
            self.lives[-1].refusals.append(repr(error))

    def by_sendmail(self, kind="ops"):
        letter = self._new(kind, "sendmail")
        result = self.daemon.sendmail("-i", "-f", SENDER, letter.recipient,
                                      input=letter.text)
        letter.lives[1] = len(self.lives)
        if result.returncode == 0:
            letter.accept()
        else:
            self.refused("sendmail: %d %s" % (
                result.returncode, result.stderr.decode().strip()))

    def by_drop(self, kind="ops"):
        """Durably, as a careful program would."""
        letter = self._new(kind, "drop")
        path = self.daemon.path("drop")
        hidden = os.path.join(path, "." + letter.name)
        with open(hidden, "wb") as file:
            file.write(b"X-Sender: %s\nX-Receiver: %s\n" % (
                SENDER.encode(), letter.recipient.encode()) + letter.text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(hidden, os.path.join(path, letter.name))
        folder = os.open(path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        letter.accept()

    def work(self):
        """A little of everything, at once; the threads."""
        self.by_drop()
        jobs = [
            (self.by_smtp, ("ops", None), ("ops", self.large_size),
             ("cut", None)),
            (self.by_smtp, ("refused", None), ("later", self.large_size),
             ("ops", None)),
            (self.by_sendmail,),
        ]
        threads = [threading.Thread(target=job, args=arguments, daemon=True)
                   for job, *arguments in jobs]
        for thread in threads:
            thread.start()
        return threads

    # -- lives --

    def begin(self, plan):
        """Whether the daemon has become ready."""
        life = Life(len(self.lives) + 1)
        life.plan = plan
        self.lives.append(life)
        self.upstream.life = life.number
        environment = {}
        if plan is not None:
            self.state = shim.State(self.daemon.outside)
            environment = self.state.environment(self.library, plan)
        return self.daemon.launch(environment)

    def end(self, plan):
        """The daemon has been told, or has had its reason."""
        life = self.lives[-1]
        life.status = self.daemon.process.wait(60)
        life.ended_at = time.monotonic()
        self.upstream.finish()
        if plan is not None:
            life.calls, life.hits, life.hit = self.state.read()
        return life

    def live(self, plan, patience_seconds=20, grace_seconds=60):
        """Mail comes; the daemon is ended when all is done, if not before.

        patience_seconds: how long the last letters may take to be delivered.
        grace_seconds: how long it may take to end, before it is killed.
        """
        if self.begin(plan):
            for thread in self.work():
                thread.join(60)
                assert not thread.is_alive(), "a sender hangs"
            deadline = time.monotonic() + patience_seconds
            while time.monotonic() < deadline and \
                    not self.daemon.has_ended and not self.daemon.is_idle():
                time.sleep(0.005)
            if not self.daemon.has_ended:
                self._ask_to_end(grace_seconds)
        return self.end(plan)

    def _ask_to_end(self, grace_seconds):
        self.daemon.process.send_signal(signal.SIGTERM)
        try:
            self.daemon.process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.lives[-1].was_killed = True
            self.daemon.kill()

    def die_with_mail(self):
        """A life that leaves some in the queue, and on disk what kill -9
        leaves."""
        self.upstream.may_answer.clear()
        self.begin(None)
        for thread in self.work():
            thread.join(60)
        self.daemon.process.send_signal(signal.SIGKILL)
        self.upstream.may_answer.set()
        self.end(None)

    def settle(self, seconds=60):
        """Nothing disturbs it any more: all that waits goes."""
        assert self.begin(None), "does not start again: %d\n%s" % (
            self.daemon.process.returncode, self.log())
        self.daemon.do("flush")
        box.until(self.daemon.is_idle, self._what_waits, seconds)
        self.daemon.process.send_signal(signal.SIGTERM)
        life = self.end(None)
        assert life.status == 0, "does not end well: %d" % life.status

    def _what_waits(self):
        return "all to go: %s %s" % (self.daemon.queue(),
                                     self.daemon.waiting())

    def log(self):
        """Its newest lines, those that matter."""
        lines = [line[:200] for line in self.daemon.log().splitlines()
                 if ": debug: " not in line]
        return "\n".join(lines[-40:])

    # -- accounts --

    def account(self, figures, until=math.inf):
        """Add to figures; what is wrong is said, with what led to it.

        until: what was accepted later may be lost.
        """
        wrong = list(self.upstream.faults)
        receipts = self._sort(self.upstream.messages, figures, wrong)
        self._miss([letter for letter in self.letters.values()
                    if letter.accepted and letter.accepted_at < until],
                   receipts, figures, wrong)
        for letter in self.letters.values():
            found = receipts.get(letter.name, [])
            figures.duplicated += max(0, len(found) - 1)
            wrong += self._unexplained(letter, found)
        wrong += self._left_behind()
        if wrong:
            figures.complain(self, wrong)

    def account_cut(self, figures, accepted, cut_at, before, after):
        """The same for a cut: names that were accepted before it, when it was,
        and what was received before and after it."""
        wrong = []
        receipts = self._sort(after, figures, wrong)
        old = self._sort(before, figures, [])
        for name, found in receipts.items():
            earlier = old.get(name, [])
            figures.duplicated += len(found) - 1 + bool(earlier)
            wrong += ["twice without a reason: %s" % name
                      for message in earlier[-1:] if not message.was_cut and
                      cut_at - message.at > DURABLE_SECONDS]
        self._miss([self.letters[name] for name in accepted],
                   {**old, **receipts}, figures, wrong)
        if wrong:
            figures.complain(self, wrong)

    def _sort(self, messages, figures, wrong):
        """{name: messages} of those that are as they were sent."""
        receipts = {}
        for message in messages:
            letter, fault = self._recognise(message)
            if fault is None:
                receipts.setdefault(letter.name, []).append(message)
                continue
            wrong.append(fault)
            figures.invented += letter is None
            figures.altered += letter is not None
        return receipts

    def _miss(self, wanted, receipts, figures, wrong):
        for letter in wanted:
            if letter.name not in receipts:
                figures.lost += 1
                wrong.append("lost: %s, for %s, by %s" % (
                    letter.name, letter.recipient, letter.way))

    def _recognise(self, message):
        """The letter that it is, and what is wrong with it."""
        if message.sender == "":
            return self._recognise_report(message)
        letter = self.letters.get(message.field("Subject"))
        if letter is None:
            return None, "invented: %r" % message.data[:500]
        if message.recipients != [letter.recipient] or \
                message.sender != SENDER:
            return letter, "altered: envelope of %s" % letter.name
        try:
            letters.assert_same(letters.crlf(letter.text), message.data)
        except AssertionError as error:
            return letter, "altered: %s: %s" % (letter.name, error)
        return letter, None

    def _recognise_report(self, message):
        match = re.search(rb"\r\nSubject: (s\d+-\d+)\r\n", message.body)
        letter = match and self.letters.get(match[1].decode())
        if not letter or letter.kind != "refused":
            return None, "invented report: %r" % message.data[:500]
        if message.recipients != [SENDER]:
            return letter, "altered: the report goes to %s" % (
                message.recipients)
        return letter, None

    def _unexplained(self, letter, found):
        """Each receipt but the last must have a reason for coming again."""
        return ["twice without a reason: %s, for %s, by %s in life %d" % (
            letter.name, letter.recipient, letter.way, message.life)
            for message, again in zip(found, found[1:])
            if not self._is_explained(letter, message, again)]

    def _is_explained(self, letter, message, again):
        life = self.lives[message.life - 1]
        if message.was_cut or life.cannot_know:
            return True
        # sendmail heard nothing of its first try, and dropped a file.
        if letter.way == "sendmail" and _queue_id(message) != _queue_id(again):
            first, last = letter.lives
            return any(one.cannot_know or not one.ended_well
                       for one in self.lives[first - 1:last])
        return not life.ended_well and again.life > message.life and \
            life.ended_at - message.at < DURABLE_SECONDS

    def _left_behind(self):
        found = []
        # What was torn is put aside: see to it that nothing is lost instead.
        for folder in "queue/large", "drop.failed":
            path = self.daemon.path(folder)
            if os.path.isdir(path):
                found += ["left in %s: %s" % (folder, name)
                          for name in os.listdir(path)]
        return found


def _queue_id(message):
    match = re.search(rb"\bid ([0-9A-Z]+)", message.header)
    return match and match[1]
