"""libpostrider's client at work: lib/mailer.c, run against a server."""

import ast
import functools
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


class Told:
    """What a run said."""

    def __init__(self, result):
        self.status = result.returncode
        self.lines = result.stdout.decode(errors="replace").splitlines()
        self.trace = result.stderr.decode(errors="replace").splitlines()
        assert self.status in (0, 1), self.trace[-20:]

    def __str__(self):
        return "%s; %s" % (" / ".join(self.lines),
                           " / ".join(line[:200] for line in self.trace[-20:]))

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
        parts += ["BDAT " + "+".join(chunks)] if chunks else []
        parts += re.findall(r"BODY=\S+|SMTPUTF8|RET=\S+", mail)
        return ", ".join(parts)


def run(peer, door, *files, to=(TO,), sender=FROM, login=None, tls=None,
        password=None, certificate=None, authority=None, name=None,
        mail_options=(), recipient_options=(), flags=()):
    """Send the octets of each of files in one session through the peer's door.

    login        True lets the library choose among mechanisms, a text names one
    certificate  a file with our certificate and its key
    """
    command = [_program(), peer.doors[door], "-f", sender]
    for recipient in to:
        command += ["-t", recipient]
    command += ["--tls", tls or {"starttls": "must",
                                 "implicit": "implicit"}.get(door, "off"),
                "--ca", authority or peer.authority.file,
                "--tls-name", name or peer.tls_name]
    command += ["--lmtp"] if door.startswith("lmtp") else []
    for option in mail_options:
        command += ["--opt", option]
    for option in recipient_options:
        command += ["--ropt", option]
    command += ["--cert", certificate] if certificate else []
    options = {}
    if login:
        command += ["--user", peer.user, "--pass-fd", "0"]
        command += [] if login is True else ["--mech", login]
        options["input"] = (password or peer.password).encode() + b"\n"
    else:
        options["stdin"] = subprocess.DEVNULL
    folder = box.folder()
    for number, octets in enumerate(files):
        command.append(os.path.join(folder, "%d" % number))
        with open(command[-1], "wb") as file:
            file.write(octets)
    return Told(subprocess.run(
        [*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=90, **options))
