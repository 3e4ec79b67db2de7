"""What our client must be able to do with each server there is: test points.

A script that names a server's class here is a test of it:

    peer_points.add(exim.Exim)
    tool_points.add(exim.Exim)
    relay_points.add(exim.Exim)
    tap.run(with_guest=True, layers=["exim"])

Each point tells behind its name what was negotiated.
"""

import functools
import re

from . import box, certificates, letters, mailer, peer, tap
from .contents import CONTENTS, whole
from .mailer import FROM, TO

OTHER, NOBODY, FULL = ("%s@example.net" % name
                       for name in ("other", "nobody", "full"))
FOREIGN_FROM, FOREIGN_TO = "jürgen@bücher.example", "почта@bücher.example"
# What a client might use, as far as ours knows of it.
EXTENSIONS = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING",
              "BINARYMIME", "ENHANCEDSTATUSCODES", "ETRN", "LIMITS",
              "DELIVERBY", "FUTURERELEASE", "MT-PRIORITY"}
BEST_FIRST = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")
TLS_DOORS = (("starttls", "STARTTLS"), ("implicit", "implicit TLS"))
LMTP_DOORS = {"lmtp": "LMTP", "lmtp socket": "LMTP over a unix socket"}
DSN_OF_MAIL = ("RET=HDRS", "ENVID=QQ314159")
DSN_OF_RECIPIENT = ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first@example.net")
DSN_SAID = ("QQ314159", "first@example.net")
# enum smtp_err
SENDER, RECIPIENTS, DATA, AUTH, NOTSUPP, TLS = -3, -4, -5, -8, -9, -16
EQUAL = "read back equal"


def needs():
    return tap.no_guest() or certificates.missing() or mailer.missing()


def token_of(*words):
    return re.sub(r"\W+", "-", "-".join(words)).strip("-").lower()


def simple(token):
    return CONTENTS["a letter"](token)


def told(*parts):
    words = ", ".join(part for part in parts if part)
    return words + ": " + EQUAL if words else EQUAL


def check_whole(server, token, sent, to=TO, sender=FROM, ours=frozenset()):
    """It has arrived once, as it was sent; how it came."""
    arrived, = server.find(token)
    letters.assert_whole(whole(sent), arrived.octets, server.adds | ours)
    assert arrived.recipients == [to], arrived.recipients
    assert arrived.sender == sender, arrived.sender
    return arrived


def check_absent(server, token):
    assert not server.search(token), "it has arrived all the same"


# ---- what is offered ----

def offers(server):
    door = next(iter(server.doors))
    sent = simple("offers")
    run = mailer.run(server, door, sent)
    assert run.status == 0, run
    offered = set(run.greetings()[0]) & EXTENSIONS
    assert offered == server.offers, offered ^ server.offers
    return "%s; not %s" % (" ".join(sorted(offered)),
                           " ".join(sorted(EXTENSIONS - offered)))


# ---- contents ----

def content(server, name, *flags):
    """By smtp_sendmail(), and by smtp_sendmail_fn()."""
    for number, more in enumerate(((), ("--stream",))):
        token = token_of(name, *flags, str(number))
        sent = CONTENTS[name](token)
        run = mailer.run(server, "clear", sent, flags=[*flags, *more])
        assert run.status == 0, run
        check_whole(server, token, sent)
        mail, = run.sent("mail from")
        assert ("BODY=8BITMIME" in mail) == (not sent.isascii()), mail
        sizes = [int(line.split()[1]) for line in run.sent("bdat ")]
        assert bool(sizes) == ("--bdat" in flags), run
        assert not sizes or sum(sizes) in (len(sent), len(whole(sent))), sizes
        if not more:
            assert "size=%d" % len(whole(sent)) in mail, mail
    return told(run.negotiated())


def one_session(server):
    """All kinds in one session; those that are large are few."""
    sent = {token_of("session", name): make for name, make in CONTENTS.items()}
    octets = [make(token) for token, make in sent.items()]
    run = mailer.run(server, "starttls", *octets, login=True)
    assert run.mails == [0] * len(sent), run
    for token, text in zip(sent, octets):
        check_whole(server, token, text)
    assert len(run.sent("auth ")) == len(run.sent("quit")) == 1, run
    return told("%d letters" % len(sent), run.negotiated())


# ---- TLS and AUTH ----

def login(server, door, mechanism=True, **options):
    """mechanism True: the client takes the best that is offered"""
    token = token_of("login", door, str(mechanism))
    sent = simple(token)
    run = mailer.run(server, door, sent, login=mechanism, **options)
    assert run.status == 0, run
    arrived = check_whole(server, token, sent)
    used = [line.split()[1] for line in run.sent("auth ")]
    best = next(name for name in BEST_FIRST if name in server.mechanisms)
    assert used == [best if mechanism is True else mechanism], used
    assert arrived.login and peer.USER in arrived.login, arrived.login
    assert arrived.tls in ("TLSv1.2", "TLSv1.3"), arrived.tls
    return told(arrived.tls, run.negotiated())


def wrong_password(server):
    for mechanism in server.mechanisms:
        token = token_of("wrong", mechanism)
        run = mailer.run(server, "starttls", simple(token), login=mechanism,
                         password="wrong")
        assert run.failed and run.failed[0] == AUTH, run
        check_absent(server, token)
    return "%s for %s" % (run.failed[1], ", ".join(server.mechanisms))


def no_login(server):
    run = mailer.run(server, "starttls", simple("no-login"))
    assert run.mails in ([SENDER], [RECIPIENTS]), run
    check_absent(server, "no-login")
    return run.lines[0].split(" ", 2)[2]


def stranger(server):
    """Certificates that are not to be believed, at both doors."""
    other = certificates.Authority(box.folder()).file
    for door in "starttls", "implicit":
        for options in {"authority": other}, {"name": "other.example"}:
            run = mailer.run(server, door, simple("stranger"), login=True,
                             **options)
            assert run.failed and run.failed[0] == TLS, run
            assert not run.sent("auth "), "it has shown the password"
    check_absent(server, "stranger")


def no_starttls(server):
    run = mailer.run(server, "clear", simple("no-starttls"), tls="must")
    assert run.mails == [NOTSUPP], run
    check_absent(server, "no-starttls")


# ---- envelopes ----

def pipelining(server):
    """Where it is offered it is used, unless it is not to be."""
    offered = "PIPELINING" in server.offers
    for flags in (), ("--no-pipe",):
        token = token_of("pipelining", *flags)
        sent = simple(token)
        run = mailer.run(server, "clear", sent, flags=flags)
        assert run.status == 0, run
        assert run.is_pipelined() == (offered and not flags), run
        check_whole(server, token, sent)
    return told("offered" if offered else "not offered")


def refused_recipient(server):
    """One is not known; the others get it, and the session goes on."""
    sent, second = simple("refused-recipient"), simple("after-a-refusal")
    run = mailer.run(server, "clear", sent, second, to=[TO, NOBODY, OTHER])
    assert run.mails == [0, 0], run
    assert [(code // 100, name) for code, name in run.recipients] == [
        (2, TO), (5, NOBODY), (2, OTHER)] * 2, run.recipients
    for token, text in (("refused-recipient", sent),
                        ("after-a-refusal", second)):
        arrived = server.find(token, recipients=2)
        got = sorted(sum((each.recipients for each in arrived), []))
        assert got == [TO, OTHER] or got == [OTHER, TO], got
        for each in arrived:
            letters.assert_whole(text, each.octets, server.adds)
    return "%d for %s" % (run.recipients[1][0], NOBODY)


def all_refused(server):
    run = mailer.run(server, "clear", simple("all-refused"),
                     simple("all-refused"), to=[NOBODY])
    assert run.mails == [RECIPIENTS] * 2, run
    assert len(run.sent("quit")) == 1, run
    check_absent(server, "all-refused")
    return "%d, twice in a session" % run.recipients[0][0]


def null_sender(server):
    sent = simple("null-sender")
    run = mailer.run(server, "clear", sent, sender="<>")
    assert run.status == 0, run
    assert run.sent("mail from:<>"), run
    check_whole(server, "null-sender", sent, sender="")
    return told(run.negotiated())


def too_large(server, *flags):
    """Not sent where we know from SIZE, refused behind it where not."""
    token = token_of("too-large", *flags)
    sent = simple(token) + CONTENTS["5 MB"]("x") * 2
    run = mailer.run(server, "clear", sent, flags=flags)
    assert run.mails == [DATA if flags else NOTSUPP], run
    assert run.recipients[0][0] in (552, 554), run  # 554: OpenSMTPD's
    assert bool(run.sent("mail from")) == bool(flags), run
    check_absent(server, token)
    return run.lines[0].split(" ", 2)[2]


def international(token):
    return ("From: Jürgen <%s>\r\nTo: %s\r\nSubject: Grüße, привет\r\n"
            "Date: Mon, 03 Mar 2025 10:00:00 +0000\r\n"
            "Message-ID: <%s@client.example>\r\n\r\nÄ, я\r\n" % (
                FOREIGN_FROM, FOREIGN_TO, token)).encode()


def smtputf8(server):
    token = "smtputf8"
    sent = international(token)
    run = mailer.run(server, "clear", sent, sender=FOREIGN_FROM,
                     to=[FOREIGN_TO], mail_options=["SMTPUTF8"])
    if "SMTPUTF8" not in server.offers:
        assert run.mails == [NOTSUPP], run
        check_absent(server, token)
        return "not offered, and refused before anything is said of it"
    assert run.status == 0, run
    check_whole(server, token, sent, to=FOREIGN_TO, sender=FOREIGN_FROM)
    return told(run.negotiated())


def dsn(server):
    sent = simple("dsn")
    run = mailer.run(
        server, "clear", sent, mail_options=DSN_OF_MAIL,
        recipient_options=DSN_OF_RECIPIENT)
    assert run.status == 0, run
    arrived = check_whole(server, "dsn", sent)
    server.check_dsn(arrived, *DSN_SAID)
    return told(run.negotiated(), "a report of success")


# ---- LMTP ----

def lmtp(server, door):
    """A reply for each recipient behind the content."""
    token = token_of(door)
    sent = CONTENTS["a letter in windows-1251"](token)
    run = mailer.run(server, door, sent, to=[TO, FULL, NOBODY, OTHER])
    assert run.mails == [0], run
    codes = [code for code, _ in run.recipients]
    assert codes == [250, 452, 550, 250], run.recipients
    arrived, = server.find(token, recipients=3)
    letters.assert_whole(sent, arrived.octets, server.adds)
    assert run.sent("lhlo") and not run.sent("ehlo"), run
    return told(run.negotiated(), "replies " + " ".join(map(str, codes)))


# ---- the list ----

@functools.cache
def server_of(kind):
    """One serves all points."""
    with box.lasting():
        return kind()


def point_of(kind):
    """A function that adds a point: its name, function(server, ...), the rest
    of the arguments."""
    def point(name, function, *arguments):
        tap.test("%s: %s" % (kind.name, name), needs)(
            lambda: function(server_of(kind), *arguments))
    return point


def add(kind):
    point = point_of(kind)
    point("its EHLO", offers)
    for name in CONTENTS:
        point(name + ", by DATA", content, name)
        if "CHUNKING" in kind.offers:
            point(name + ", by BDAT", content, name, "--bdat")
    point("all of these in one session", one_session)
    for door, words in TLS_DOORS:
        point(words + ", and AUTH of the client's choice", login, door)
        for mechanism in kind.mechanisms:
            point("%s, and AUTH %s" % (words, mechanism), login, door, mechanism)
    point("a wrong password is refused", wrong_password)
    point("no AUTH where it is required is refused", no_login)
    point("a certificate of somebody else is no certificate", stranger)
    point("no STARTTLS where it must be: nothing is sent", no_starttls)
    point("PIPELINING", pipelining)
    point("a recipient of several is refused", refused_recipient)
    point("every recipient is refused", all_refused)
    point("a null sender", null_sender)
    point("too large, and told so by SIZE", too_large)
    point("too large, and found out late", too_large, "--stream")
    if "CHUNKING" in kind.offers:
        point("too large, and found out in BDAT", too_large, "--stream",
              "--bdat")
    point("SMTPUTF8", smtputf8)
    if "DSN" in kind.offers:
        point("DSN", dsn)
    for door in kind.lmtp_doors:
        point(LMTP_DOORS[door], lmtp, door)
