"""The daemon as relay to each server there is: test points, as peer_points."""

import os

from . import box, letters, peer_points, relay
from .contents import CONTENTS
from .mailer import FROM, TO
from .peer_points import FULL, NOBODY, check_whole, simple, token_of

OURS = {b"received"}  # what the daemon adds
MODES = {"starttls": "starttls", "implicit": "implicit"}


def upstream(server, door, method="auto"):
    """The daemon's, to one of the server's doors."""
    where = server.doors[door]
    if where.startswith("/"):
        place = 'socket = "%s";' % where
    else:
        place = 'host = "%s"; port = %s;' % tuple(where.split(":"))
    if door.startswith("lmtp"):
        place += ' transport = "lmtp";'
    tls = 'tls = { mode = "%s"; ca = "%s"; name = "%s"; };' % (
        MODES.get(door, "none"), server.authority.file, server.tls_name)
    auth = ""
    if door in MODES:
        secret = os.path.join(box.folder(), "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write(server.password + "\n")
        os.chmod(secret, 0o600)
        auth = ('auth = { method = "%s"; user = "%s"; '
                'password = { file = "%s"; }; };' % (method, server.user, secret))
    return '{ name = "main"; %s %s %s }' % (place, tls, auth)


def begin(server, door, **options):
    return relay.Relay(upstream(server, door, **options))


def send(daemon, octets, sender=FROM, to=(TO,), mail_options=(),
         recipient_options=()):
    with daemon.smtp() as client:
        client.command_encoding = "utf-8"
        client.ehlo()
        for reply in (client.mail(sender, mail_options),
                      *(client.rcpt(each, recipient_options) for each in to),
                      client.data(octets)):
            assert reply[0] == 250, reply


def contents(server, door):
    """All of them, in an order of the daemon's choice."""
    daemon = begin(server, door)
    sent = {}
    for name, make in CONTENTS.items():
        token = token_of("daemon", door, name)
        sent[token] = make(token)
        send(daemon, sent[token], mail_options=["BODY=8BITMIME"])
    ways = {described(check_whole(server, token, octets, ours=OURS))
            for token, octets in sent.items()}
    daemon.wait_empty()
    way, = ways
    return peer_points.told("%d letters" % len(sent), way)


def described(arrived):
    return ", ".join(filter(None, (
        arrived.tls, arrived.login and "AUTH as " + arrived.login)))


def method(server, name):
    daemon = begin(server, "starttls", method=name)
    token = token_of("daemon-by", name)
    sent = simple(token)
    send(daemon, sent)
    arrived = check_whole(server, token, sent, ours=OURS)
    daemon.wait_empty()
    return peer_points.told(described(arrived))


def smtputf8(server):
    sent = peer_points.international("daemon-smtputf8")
    daemon = begin(server, "clear")
    send(daemon, sent, peer_points.FOREIGN_FROM, [peer_points.FOREIGN_TO],
         ["SMTPUTF8", "BODY=8BITMIME"])
    check_whole(server, "daemon-smtputf8", sent, ours=OURS,
                to=peer_points.FOREIGN_TO, sender=peer_points.FOREIGN_FROM)
    daemon.wait_empty()
    return peer_points.EQUAL


def dsn(server):
    sent = simple("daemon-dsn")
    daemon = begin(server, "clear")
    send(daemon, sent, mail_options=peer_points.DSN_OF_MAIL,
         recipient_options=peer_points.DSN_OF_RECIPIENT)
    arrived = check_whole(server, "daemon-dsn", sent, ours=OURS)
    server.check_dsn(arrived, *peer_points.DSN_SAID)
    daemon.wait_empty()
    return peer_points.told("a report of success")


def lmtp(server, door):
    """One has it, one waits for a place, one comes back."""
    token = token_of("daemon", door)
    sent = CONTENTS["a letter in windows-1251"](token)
    daemon = begin(server, door)
    send(daemon, sent, to=[TO, FULL, NOBODY], mail_options=["BODY=8BITMIME"])
    for arrived in box.until(lambda: server.search(token), "the letter"):
        letters.assert_whole(sent, arrived.octets, server.adds | OURS)

    def waiting():
        return [(each["address"], each.get("delay_reason", "")[:3])
                for item in daemon.queue() for each in item["recipients"]]

    box.until(lambda: waiting() == [(FULL, "452")], waiting)
    report, = box.until(lambda: [each for each in server.kept() if
                                 each.sender == "" and NOBODY.encode() in
                                 each.octets and each.recipients == [FROM] and
                                 token.encode() in each.octets], "the report")
    assert b"550" in report.octets, report.octets
    return peer_points.told("452 waits", "550 came back")


def add(kind):
    point = peer_points.point_of(kind)
    for door, words in peer_points.TLS_DOORS:
        point("the daemon, by " + words, contents, door)
    for name in "plain", "login":
        point("the daemon, by AUTH " + name.upper(), method, name)
    if "SMTPUTF8" in kind.offers:
        point("the daemon, with SMTPUTF8", smtputf8)
    if "DSN" in kind.offers:
        point("the daemon, with DSN", dsn)
    for door in kind.lmtp_doors:
        point("the daemon, by " + peer_points.LMTP_DOORS[door], lmtp, door)
