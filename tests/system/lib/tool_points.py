"""postrider smtp with each server there is: test points, as peer_points."""

from . import box, certificates, letters, mailer, peer_points
from .contents import CONTENTS
from .mailer import TO
from .peer_points import (FULL, NOBODY, OTHER, check_absent, check_whole,
                          simple, told, token_of)

SOME_REFUSED, REFUSED, LOGIN, TLS = 3, 69, 77, 78


def contents(server, *flags):
    """All of them in one session."""
    sent = {}
    for name, make in CONTENTS.items():
        token = token_of("tool", name, *flags)
        sent[token] = make(token)
    run = mailer.tool(server, "clear", *sent.values(), flags=flags)
    assert run.status == 0, run
    for token, octets in sent.items():
        check_whole(server, token, octets)
    return told("%d letters" % len(sent))


def login(server, door, mechanism):
    token = token_of("tool", door, mechanism)
    sent = simple(token)
    run = mailer.tool(server, door, sent, login=mechanism)
    assert run.status == 0, run
    arrived = check_whole(server, token, sent)
    assert arrived.login and arrived.tls, arrived.__dict__
    assert [line.split()[1] for line in run.sent("auth ")] == [mechanism], run
    return told(arrived.tls, run.negotiated())


def refusals(server):
    """Each has an exit status of its own."""
    other = certificates.Authority(box.folder()).file
    large = simple("tool-refused") + CONTENTS["5 MB"]("x") * 2
    for status, door, options in (
            (LOGIN, "starttls", {"login": True, "password": "wrong"}),
            (TLS, "starttls", {"login": True, "authority": other}),
            (TLS, "implicit", {"login": True, "name": "other.example"}),
            (TLS, "clear", {"tls": "must"}),
            (REFUSED, "clear", {"to": [NOBODY]}),
            (REFUSED, "clear", {"octets": large})):
        octets = options.pop("octets", simple("tool-refused"))
        run = mailer.tool(server, door, octets, **options)
        assert run.status == status, (status, door, list(options), str(run))
        assert not any(letter["accepted"] for letter in
                       run.json.get("letters", [])), run
    run = mailer.tool(server, "starttls", simple("tool-refused"))
    assert run.status in (LOGIN, REFUSED), run  # as the server says it
    check_absent(server, "tool-refused")
    run = mailer.tool(server, "clear", simple("tool-some"), to=[TO, NOBODY])
    assert run.status == SOME_REFUSED, run
    check_whole(server, "tool-some", simple("tool-some"))


def smtputf8(server):
    token = "tool-smtputf8"
    sent = peer_points.international(token)
    sender, to = peer_points.FOREIGN_FROM, peer_points.FOREIGN_TO
    run = mailer.tool(server, "clear", sent, sender=sender, to=[to])
    if "SMTPUTF8" not in server.offers:
        assert run.status != 0 and not run.sent("rcpt"), run
        check_absent(server, token)
        return "not offered, exit %d" % run.status
    assert run.status == 0, run
    check_whole(server, token, sent, sender=sender, to=to)
    return told(run.negotiated())


def dsn(server):
    sent = simple("tool-dsn")
    identity, original = peer_points.DSN_SAID
    run = mailer.tool(server, "clear", sent, flags=[
        "--ret", "hdrs", "--envid", identity, "--notify", "success,failure",
        "--orcpt", original])
    assert run.status == 0, run
    server.check_dsn(check_whole(server, "tool-dsn", sent), identity, original)
    return told(run.negotiated(), "a report of success")


def lmtp(server, door):
    token = token_of("tool", door)
    sent = simple(token)
    run = mailer.tool(server, door, sent, to=[TO, FULL, NOBODY, OTHER])
    assert run.status == SOME_REFUSED, run
    codes = [code for code, _ in run.recipients]
    assert codes == [250, 452, 550, 250], run
    arrived, = server.find(token, recipients=3)
    letters.assert_whole(sent, arrived.octets, server.adds)
    return told("replies " + " ".join(map(str, codes)))


def probe(server):
    """What it finds is what there is, at both doors."""
    for door, _ in peer_points.TLS_DOORS:
        run = mailer.probe(server, door)
        assert run.status == 0, run
        found = run.json["session"]["extensions"]
        offered = {name.upper() for name in found} & peer_points.EXTENSIONS
        assert offered == server.offers, offered ^ server.offers
        assert set(found["auth"].split()) == set(server.mechanisms), found
        tls = run.json["session"]["tls"]
        assert tls["trusted"] and tls["names"] == server.tls_name, tls
        assert tls["version"] in ("TLSv1.2", "TLSv1.3"), tls
    return "%s, %s, AUTH %s" % (tls["version"], tls["cipher"], found["auth"])


def add(kind):
    point = peer_points.point_of(kind)
    point("postrider smtp probe", probe)
    point("postrider smtp send", contents)
    if "CHUNKING" in kind.offers:
        point("postrider smtp send, by BDAT", contents, "--bdat")
    for door, words in peer_points.TLS_DOORS:
        for mechanism in kind.mechanisms:
            point("postrider smtp send, by %s and AUTH %s" % (words, mechanism),
                  login, door, mechanism)
    point("postrider smtp send tells refusals apart", refusals)
    point("postrider smtp send, with SMTPUTF8", smtputf8)
    if "DSN" in kind.offers:
        point("postrider smtp send, with DSN", dsn)
    for door in kind.lmtp_doors:
        point("postrider smtp send, by " + peer_points.LMTP_DOORS[door], lmtp,
              door)
