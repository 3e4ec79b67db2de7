"""A real OpenSMTPD in a guest, on fixed ports of the test's own network: 25
without TLS, 587 with STARTTLS and 465 with implicit TLS, both with AUTH
required."""

from . import box, certificates, guest, peer

CONFIG = r"""
pki test cert "/etc/smtpd/certificate.pem"
pki test key "/etc/smtpd/key.pem"
table users file:/etc/smtpd/users
table everybody { "@" = mail }
table nobody { "nobody@example.net" }
smtp max-message-size 6M
listen on 127.0.0.1 port 25 hostname %(name)s
listen on 127.0.0.1 port 587 hostname %(name)s tls-require \
  pki test auth <users> received-auth
listen on 127.0.0.1 port 465 hostname %(name)s smtps \
  pki test auth <users> received-auth
action "inbox" maildir "%(inbox)s" virtual <everybody>
match from any for rcpt-to <nobody> reject
match from any for any action "inbox"
match auth from any for any action "inbox"
"""


class OpenSmtpd(peer.MaildirPeer):
    name = "OpenSMTPD"
    offers = {"SIZE", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES"}
    mechanisms = ("PLAIN", "LOGIN")
    tls_pattern = rb"\((TLS\S+?):"
    login_pattern = rb"auth=yes user=(\S+)"
    report_fields = (b"Final-Recipient",)
    adds = {b"return-path", b"delivered-to", b"received"}

    def __init__(self):
        work = box.folder()
        super().__init__(guest.Guest(work, ["opensmtpd"]),
                         certificates.Authority(work))
        self.doors = {"clear": "127.0.0.1:25", "starttls": "127.0.0.1:587",
                      "implicit": "127.0.0.1:465"}
        self.own_user("opensmtpd")
        self.own_user("opensmtpq")
        self.certify("/etc/smtpd", "root")
        self.make_inbox()
        crypted = self.guest.run("openssl", "passwd", "-6", "-stdin",
                                 input=self.password.encode()).stdout
        self.guest.write("/etc/smtpd/users", "%s %s" % (
            self.user, crypted.decode()))
        self.guest.write("/etc/smtpd.conf", CONFIG % {
            "name": peer.NAME, "inbox": peer.INBOX})
        self.log = "/var/log/smtpd"
        with open(self.guest.path(self.log), "wb") as log:
            self.process = self.guest.start(
                "/usr/sbin/smtpd", "-dv", errors=log)
        self.wait_ready()
