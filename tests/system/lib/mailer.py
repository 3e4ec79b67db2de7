"""Our client at work, run against a server: lib/mailer.c, for the library, and
postrider smtp."""

import ast
import functools
import json
import os
import re
import subprocess

from . import box, c_program

FROM, TO = "me@site.example", "ops@example.net"


def missing():
    return c_program.missing()


@functools.cache
def _program():
    with box.lasting():
        return c_program.build(
            os.path.join(os.path.dirname(__file__), "mailer.c"), "-lssl")


class Dialogue:
    """What a program said and got to hear, told as smtplib does."""

    def __init__(self, result):
        self.status = result.returncode
        self.lines = result.stdout.decode(errors="replace").splitlines()
        self.trace = result.stderr.decode(errors="replace").splitlines()

    def __str__(self):
        return "exit %d: %s; %s" % (
            self.status, " / ".join(self.lines),
            " / ".join(line[:200] for line in self.trace[-20:]))

    def sent(self, verb):
        """The commands of this verb, without their ends."""
        found = []
        for line in self.trace:
            if line.startswith("send: ") and line[7:].upper().startswith(
                    verb.upper()):
                found.append(ast.literal_eval(line[6:]).rstrip("\r\n"))
        return found

    def greetings(self):
        """What each EHLO or LHLO was told: [{extension: its parameters}]"""
        greetings, lines = [], None
        for line in self.trace:
            if re.match(r"send: '[el]hlo", line, re.I):
                lines = []
            elif lines is not None and line.startswith("reply: '250"):
                text = ast.literal_eval(line[7:])
                lines.append(text[4:].strip())
                if text[3] == " ":
                    greetings.append({
                        name.upper(): rest for name, _, rest in
                        (each.partition(" ") for each in lines[1:])})
                    lines = None
        return greetings

    def is_pipelined(self):
        """Were all commands of a mail sent before the first reply?"""
        kinds = [re.match(r"send: '(mail|rcpt|data|bdat)|reply: ", line, re.I)
                 for line in self.trace]
        words = [(kind[1] or "reply").lower() for kind in kinds if kind]
        after = words[words.index("mail") + 1:]
        return after[0] == "rcpt"

    def negotiated(self):
        """In words."""
        mail, *_ = self.sent("mail from")
        words = [line.split()[1] for line in self.sent("auth ")]
        parts = ["AUTH " + " and ".join(words)] if words else []
        parts += ["PIPELINING"] if self.is_pipelined() else []
        chunks = [line.split()[1] for line in self.sent("bdat ")]
        parts += ["%d BDAT" % len(chunks)] if chunks else []
        parts += re.findall(r"BODY=\S+|SMTPUTF8|RET=\S+", mail)
        return ", ".join(parts)


class Told(Dialogue):
    """What mailer.c says."""

    def __init__(self, result):
        super().__init__(result)
        assert self.status in (0, 1), str(self)

    @property
    def mails(self):
        """What became of each: the error, 0 for none."""
        return [int(line.split()[1]) for line in self.lines
                if line.startswith("mail ")]

    @property
    def recipients(self):
        """[(code, address)] of all mails."""
        return [(int(line.split()[1]), line.split(" ", 2)[2])
                for line in self.lines if line.startswith("recipient ")]

    @property
    def failed(self):
        """(error, why), or None."""
        return next(((int(line.split()[1]), line.split(" ", 2)[2]) for line in
                     self.lines if line.startswith("failed ")), None)


class ToolTold(Dialogue):
    """What postrider smtp says."""

    def __init__(self, result):
        super().__init__(result)
        self.json = json.loads(self.lines[0]) if self.lines else None
        assert self.json and self.json["exit"] == self.status, str(self)

    @property
    def recipients(self):
        """[(code, address)] of all letters."""
        return [(each["code"], each["addr"]) for letter in self.json["letters"]
                for each in letter["recipients"]]


def _way(peer, door, login, tls, password, authority, name):
    """The options for a way to the peer, and what stdin is to be."""
    options = ["--tls", tls or {"starttls": "must", "implicit": "implicit"}
               .get(door, "off"),
               "--ca", authority or peer.authority.file,
               "--tls-name", name or peer.tls_name]
    options += ["--lmtp"] if door.startswith("lmtp") else []
    if not login:
        return options, b""
    options += ["--user", peer.user, "--pass-fd", "0"]
    options += [] if login is True else ["--mech", login]
    return options, (password or peer.password).encode() + b"\n"


def _mail(sender, to, mail_options, recipient_options):
    options = ["-f", sender]
    for name, values in (("-t", to), ("--opt", mail_options),
                         ("--ropt", recipient_options)):
        for value in values:
            options += [name, value]
    return options


def _files(texts):
    """Their paths."""
    folder = box.folder()
    paths = [os.path.join(folder, "%d" % i) for i in range(len(texts))]
    for path, octets in zip(paths, texts):
        with open(path, "wb") as file:
            file.write(octets)
    return paths


def _run(command, stdin):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=90)


def run(peer, door, *texts, to=(TO,), sender=FROM, login=None, tls=None,
        password=None, certificate=None, authority=None, name=None,
        mail_options=(), recipient_options=(), flags=()):
    """Send each of texts, octets, in one session through the peer's door.

    login        True lets the library choose among mechanisms, a text names one
    certificate  a file with our certificate and its key
    """
    way, stdin = _way(peer, door, login, tls, password, authority, name)
    way += ["--cert", certificate] if certificate else []
    return Told(_run([
        _program(), peer.doors[door], *way, *flags,
        *_mail(sender, to, mail_options, recipient_options),
        *_files(texts)], stdin))


def tool(peer, door, *texts, to=(TO,), sender=FROM, login=None, tls=None,
         password=None, authority=None, name=None, flags=()):
    """The same by `postrider smtp send`."""
    way, stdin = _way(peer, door, login, tls, password, authority, name)
    letters = [word for path in _files(texts) for word in ("-m", path)]
    return ToolTold(_run([
        box.program("postrider"), "smtp", "send", peer.doors[door], "-d",
        "--json", *way, *flags, *_mail(sender, to, (), ()), *letters], stdin))


def probe(peer, door):
    """What `postrider smtp probe` finds."""
    way, _ = _way(peer, door, None, None, None, None, None)
    return ToolTold(_run([box.program("postrider"), "smtp", "probe",
                          peer.doors[door], "--json", *way], b""))
