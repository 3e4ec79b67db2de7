"""Mail servers of others as our client meets them: what each must tell.

A Peer has doors ("clear" without TLS, "starttls" and "implicit" where AUTH is
required behind TLS, "lmtp" and "lmtp socket"), and keeps what it takes.
"""

import os
import re
import socket

from . import box, letters, tap

NAME = "mx.test.example"
USER, PASSWORD = "mailer", "s3cret, \u00e9 x"
INBOX = "/var/mail/inbox"


class Arrived:
    """A letter as it is kept: octets with CRLF, and how it came."""

    def __init__(self, octets, sender, recipients, login, tls, told=None):
        self.octets = octets
        self.sender = sender
        self.recipients = recipients
        self.login = login    # who, or None
        self.tls = tls        # "TLSv1.3", or None
        self.told = told      # whatever else it says


class Peer:
    name = None
    mechanisms = ()           # for AUTH behind TLS
    offers = set()            # extensions, but STARTTLS and AUTH
    lmtp_doors = ()           # of its doors
    adds = set()              # fields on top of what it delivers
    user, password, tls_name = USER, PASSWORD, NAME

    def __init__(self, authority):
        self.authority = authority
        self.doors = {}

    def kept(self):
        """Every letter there is: a list of Arrived."""
        raise NotImplementedError

    def check_dsn(self, arrived, envelope_id, original_recipient):
        """It has understood what was asked of it for this letter."""
        raise NotImplementedError

    def search(self, token):
        """The letters there are now whose Message-ID has this token."""
        mark = b"\r\nMessage-ID: <%s@client.example>\r\n" % token.encode()
        return [each for each in self.kept()
                if mark in letters.split(each.octets)[0]]

    def find(self, token, recipients=1):
        """The same, when they are there for so many recipients in all."""
        def count():
            return sum(len(each.recipients) for each in self.search(token))

        box.until(lambda: count() >= recipients,
                  lambda: "%s to arrive; there are %d letters" % (
                      token, len(self.kept())))
        assert count() == recipients, "%s came %d times" % (token, count())
        return self.search(token)


class MaildirPeer(Peer):
    """One that delivers to a maildir of its guest, a file for each recipient.

    What it says of TLS and of who logged in stands in its Received.
    """

    recipient_field = b"delivered-to"
    tls_pattern = rb"using (TLS\S+)"
    login_pattern = rb"user=(\S+)"
    report_fields = (b"Original-Envelope-Id", b"Original-Recipient",
                     b"Final-Recipient")

    def __init__(self, visitor, authority):
        super().__init__(authority)
        self.guest = visitor
        self.log = None       # its file in the guest, to be told of failures
        self._read = {}
        tap.on_failure(self._tell)

    def _tell(self):
        if self.log and os.path.exists(self.guest.path(self.log)):
            with open(self.guest.path(self.log), errors="replace") as file:
                for line in file.read().splitlines()[-20:]:
                    tap.note("%s: %s" % (self.name, line[:300]))

    # -- setting it up --

    def own_user(self, name, *folders):
        """The user that it runs as, with folders that are its own."""
        self.guest.run("useradd", "--system", name)
        for folder in folders:
            self.guest.run("install", "-d", "-o", name, "-g", name, folder)

    def certify(self, folder, owner):
        """certificate.pem, key.pem and ca.pem in the folder."""
        certificate, key = self.authority.certificate(NAME)
        for path, name in ((certificate, "certificate.pem"), (key, "key.pem"),
                           (self.authority.file, "ca.pem")):
            with open(path) as file:
                self.guest.write(folder + "/" + name, file.read(), 0o600)
            self.guest.run("chown", owner, folder + "/" + name)

    def sasl_user(self, application, owner):
        """What Cyrus SASL asks for the user's password."""
        self.guest.write("/etc/sasl2/%s.conf" % application,
                         "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n")
        self.guest.run("saslpasswd2", "-p", "-c", "-u", NAME, self.user,
                       input=self.password.encode())
        self.guest.run("chown", owner, "/etc/sasldb2")

    def make_inbox(self):
        self.guest.run("install", "-d", "-o", "mail", "-g", "mail",
                       "/var/mail", INBOX)

    def wait_ready(self):
        box.until(lambda: all(map(self._greets, self.doors.values())),
                  self.name)

    def _greets(self, address):
        assert self.process.poll() is None, "%s ended" % self.name
        host, port = address.split(":")
        try:
            socket.create_connection((host, int(port)), 20).close()
        except ConnectionError:
            return False
        return True

    # -- what it keeps --

    def kept(self):
        folder = self.guest.path(INBOX + "/new")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name not in self._read:
                with open(os.path.join(folder, name), "rb") as file:
                    self._read[name] = self._parse(file.read())
        return list(self._read.values())

    def check_dsn(self, arrived, envelope_id, original_recipient):
        """There is a report of success, with as much of it as this server ever
        says (RFC 3464 2), and not the letter but its header."""
        header, body = letters.split(arrived.octets)
        identity = dict(letters.fields(header))[b"message-id"]

        def reports():
            return [each.octets for each in self.kept() if each.sender == ""
                    and each.recipients == [arrived.sender]
                    and b"message/delivery-status" in each.octets
                    and identity in each.octets]

        report, = box.until(reports, "the report")
        values = {b"Original-Envelope-Id": envelope_id,
                  b"Original-Recipient": "rfc822;" + original_recipient,
                  b"Final-Recipient": "rfc822;" + arrived.recipients[0]}
        for name in self.report_fields:
            said = _first(rb"(?mi)^%s:(.*?)\r$" % name, report)
            assert said and said.replace(" ", "") == values[name], said
        assert re.search(rb"(?mi)^Action: (delivered|relayed)", report), report
        assert body not in report, report

    def _parse(self, text):
        assert b"\r" not in text, "a CR in a maildir"
        octets = letters.crlf(text)
        values = {}
        for name, field in letters.fields(letters.split(octets)[0]):
            value = re.sub(rb"\r\n(?=[ \t])", b"", field.split(b":", 1)[1])
            values.setdefault(name, value.strip())
        received = values.get(b"received", b"")
        return Arrived(octets, _address(values.get(b"return-path", b"")),
                       [_address(values[self.recipient_field])],
                       _first(self.login_pattern, received),
                       _version(_first(self.tls_pattern, received)))


def _address(value):
    return value.strip(b"<>").decode()


def _first(pattern, text):
    match = re.search(pattern, text)
    return match and match[1].decode()


def _version(text):
    """TLSv1.3 of whatever a server calls it."""
    return text and "TLSv" + re.search(r"1\.\d", text)[0]
