"""aiosmtpd and npm's smtp-server: they keep each letter with its octets."""

import json
import os

from . import box, certificates, guest, peer, tap

SOURCES = os.path.dirname(__file__)


class Keeper(peer.Peer):
    """A program in a guest that opens doors and fills a folder."""

    def __init__(self, command, source, layers=()):
        work = box.folder()
        super().__init__(certificates.Authority(work))
        self.folder = os.path.join(work, "kept")
        os.mkdir(self.folder)
        visitor = guest.Guest(work, layers)
        certificate, key = self.authority.certificate(peer.NAME)
        with open(os.path.join(SOURCES, source)) as file:
            visitor.write("/srv/" + source, file.read())
        self.output = os.path.join(work, "output")
        tap.on_failure(self._tell)
        with open(self.output, "wb") as output:
            self.process = visitor.start(
                command, "/srv/" + source, self.folder, certificate, key,
                self.user, self.password, output=output)
        self.doors = json.loads(box.until(self._opened, self.name))

    def _opened(self):
        assert self.process.poll() is None, "it ended: %s" % self._said()
        said = self._said()
        return said if said.endswith("\n") else None

    def _said(self):
        with open(self.output, errors="replace") as file:
            return file.read()

    def _tell(self):
        tap.note("%s: %s" % (self.name, self._said()[-2000:]))

    def kept(self):
        return [self._read(os.path.join(self.folder, name[:-5]))
                for name in sorted(os.listdir(self.folder))
                if name.endswith(".json")]

    @staticmethod
    def _read(path):
        with open(path + ".eml", "rb") as file:
            octets = file.read()
        with open(path + ".json") as file:
            told = json.load(file)
        sender = told["sender"].removeprefix("<>")
        return peer.Arrived(octets, sender, told["recipients"],
                            told["login"], told["tls"], told)


class Aiosmtpd(Keeper):
    name = "aiosmtpd"
    mechanisms = ("PLAIN", "LOGIN")
    lmtp_doors = ("lmtp", "lmtp socket")
    offers = {"SIZE", "8BITMIME", "SMTPUTF8"}

    def __init__(self):
        super().__init__("/usr/bin/python3", "keeper_aiosmtpd.py")


class SmtpServer(Keeper):
    name = "smtp-server"
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2")
    lmtp_doors = ("lmtp", "lmtp socket")
    offers = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN"}

    def __init__(self):
        super().__init__("/usr/bin/node", "keeper_smtp_server.js",
                         ["smtp-server"])

    def check_dsn(self, arrived, envelope_id, original_recipient):
        mail, recipient = arrived.told["dsn"]
        assert mail == {"ret": "HDRS", "envid": envelope_id}, mail
        assert recipient["notify"] == ["SUCCESS", "FAILURE"], recipient
        assert recipient["orcpt"] == "rfc822;" + original_recipient, recipient
