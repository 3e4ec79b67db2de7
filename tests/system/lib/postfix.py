"""A real Postfix in a guest: a smarthost, and a server that holds our mail.

It listens on fixed ports of the test's own network: 25 without AUTH, 2525
without TLS as well, 587 with STARTTLS and 465 with implicit TLS, both with AUTH
required.  What it delivers lands in a maildir, and what it has for rnd.example
waits for ETRN, to be sent to WAY_BACK.
"""

import os
import re
import signal
import socket

from . import box, certificates, guest, peer, tap

NAME = peer.NAME
WAY_BACK = "192.0.2.1:3025"
MAILDIR = peer.INBOX + "/"
LOG = "/var/log/postfix.log"

MAIN = """
compatibility_level = 3.6
myhostname = %(name)s
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = %(log)s
smtputf8_enable = yes
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
notify_classes =

virtual_mailbox_domains = example.net, example.org
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 1

smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/postfix/certificate.pem
smtpd_tls_key_file = /etc/postfix/key.pem
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = %(name)s

relay_domains = rnd.example
fast_flush_domains = rnd.example
transport_maps = inline:{ { rnd.example = etrn-only:[%(back)s]:%(port)s } }
defer_transports = etrn-only
smtpd_etrn_restrictions = permit_mynetworks, reject
"""
MASTER = """
smtp       inet  n - n - - smtpd
2525       inet  n - n - - smtpd
  -o smtpd_tls_security_level=none
587        inet  n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
465        inet  n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
etrn-only  unix  - - n - - smtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, visitor, authority, users=None, mechanisms="PLAIN LOGIN",
                 settings=""):
        self.guest = visitor
        back, port = WAY_BACK.split(":")
        visitor.write("/etc/postfix/main.cf", MAIN % {
            "name": NAME, "log": LOG, "back": back, "port": port} + settings)
        visitor.write("/etc/postfix/master.cf", MASTER)
        for path, name in zip(authority.certificate(NAME),
                              ("certificate.pem", "key.pem")):
            with open(path) as file:
                visitor.write("/etc/postfix/" + name, file.read(), 0o600)
        visitor.write("/etc/postfix/sasl/smtpd.conf",
                      "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                      "mech_list: %s\n" % mechanisms)
        for user, password in (users or {}).items():
            visitor.run("saslpasswd2", "-p", "-c", "-u", NAME, user,
                        input=password.encode())
        if users:
            visitor.run("chown", "postfix", "/etc/sasldb2")
        visitor.run("install", "-d", "-o", "mail", "-g", "mail", "/var/mail",
                    MAILDIR)
        visitor.run("install", "-d", "-o", "postfix", "-m", "700",
                    *["/var/spool/postfix/" + name for name in
                      ("hold", "trace")])
        tap.on_failure(self._tell)
        self.start()

    def start(self):
        """What `postfix start`, which checks things at leisure, does in the end."""
        self.process = self.guest.start(
            "/usr/lib/postfix/sbin/master", "-d", start_new_session=True)
        box.defer(self._kill)
        box.until(lambda: self._answers() or self.process.poll(), "Postfix")

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", 25), 20) as client:
                return client.recv(3) == b"220"
        except ConnectionError:
            return False

    @staticmethod
    def _listens():
        try:
            socket.create_connection(("127.0.0.1", 25), 20).close()
        except ConnectionRefusedError:
            return False
        except ConnectionError:
            pass
        return True

    def _kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self):
        box.end(self.process, signal.SIGTERM)
        # It takes its servers along; one that is busy is the last to go.
        box.until(lambda: not self._listens(), "Postfix to go")

    def log(self):
        try:
            with open(self.guest.path(LOG), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def _tell(self):
        for line in self.log().splitlines()[-20:]:
            tap.note("postfix: " + line[:300])

    def delivered(self):
        """The letters in its maildir."""
        texts = []
        folder = self.guest.path(MAILDIR + "new")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), "rb") as file:
                texts.append(file.read())
        return texts

    def held(self):
        """How many letters wait in its queue."""
        text = self.guest.run("postqueue", "-j", check=False).stdout
        return len(text.splitlines())

    def logins(self):
        """(method, user) of each letter that came with AUTH."""
        return re.findall(r"sasl_method=(\S+), sasl_username=(\S+)", self.log())


class PostfixPeer(peer.MaildirPeer):
    """The same for the tests of our client."""

    name = "Postfix"
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
    offers = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING",
              "ENHANCEDSTATUSCODES", "ETRN"}
    login_pattern = rb"Authenticated sender: (\S+?)@"
    adds = {b"return-path", b"x-original-to", b"delivered-to", b"received"}
    settings = """
virtual_mailbox_domains = example.net, site.example, bücher.example
smtpd_client_restrictions = check_recipient_access inline:{
  { nobody@example.net = 550 5.1.1 nobody of that name } }
smtpd_sasl_authenticated_header = yes
message_size_limit = 6291456
"""

    def __init__(self):
        work = box.folder()
        super().__init__(guest.Guest(work), certificates.Authority(work))
        self.doors = {"clear": "127.0.0.1:2525", "starttls": "127.0.0.1:587",
                      "implicit": "127.0.0.1:465"}
        self.user = "%s@%s" % (peer.USER, NAME)
        self.postfix = Postfix(
            self.guest, self.authority, users={peer.USER: self.password},
            mechanisms=" ".join(self.mechanisms), settings=self.settings)
