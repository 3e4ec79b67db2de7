"""Letters, and whether what arrived is what was sent."""

import re

# What a relay of ours may put on top of a header, where it is not there.
ADDED = {b"received", b"date", b"message-id", b"from", b"return-path",
         b"delivered-to", b"x-original-to"}


def fields(header):
    """[(name in lower case, the field's octets)]"""
    found = re.findall(rb"(?s)(.*?\r\n)(?![ \t])", header)
    return [(field.split(b":")[0].strip().lower(), field) for field in found]


def split(message):
    """Header and body of octets with CRLF."""
    if message.startswith(b"\r\n"):
        return b"", message[2:]
    header, empty, body = message.partition(b"\r\n\r\n")
    return (header + b"\r\n" if empty else header), body


def crlf(text):
    """Unix text as it is on the wire."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", text)


def assert_same(sent, arrived, changed=()):
    """arrived is sent, octet for octet, but for the fields that we add.

    changed: fields that a relay may rewrite, in lower case.
    """
    sent_header, sent_body = split(sent)
    header, body = split(arrived)
    assert body == sent_body, _difference(sent_body, body)
    wanted = [item for item in fields(sent_header) if item[0] not in changed]
    present = {name for name, _ in wanted}
    rest = [item for item in fields(header) if item[0] not in changed]
    for item in wanted:
        while rest and rest[0] != item:
            assert rest[0][0] in ADDED and (
                rest[0][0] not in present or rest[0][0] == b"received"), \
                "%r where %r was sent" % (rest[0][1], item[1])
            rest.pop(0)
        assert rest, "%r is missing" % item[1]
        rest.pop(0)
    for name, field in rest:
        assert name in ADDED - present, "%r was not sent" % field


def assert_whole(sent, arrived, added):
    """arrived is sent, octet for octet, and above it nothing but fields that
    are added on the way, in lower case."""
    sent_header, sent_body = split(sent)
    header, body = split(arrived)
    assert body == sent_body, _difference(sent_body, body)
    assert header.endswith(sent_header), "%r was sent, %r arrived" % (
        sent_header, header)
    above = header[:len(header) - len(sent_header)]
    on_top = fields(above)
    assert b"".join(field for _, field in on_top) == above, above
    strange = {name for name, _ in on_top} - added
    assert not strange, "%r was not sent" % strange


def _difference(sent, arrived):
    at = next((i for i, (a, b) in enumerate(zip(sent, arrived)) if a != b),
              min(len(sent), len(arrived)))
    start = max(0, at - 40)
    return "bodies differ at octet %d of %d and %d: sent %r, arrived %r" % (
        at, len(sent), len(arrived), sent[start:at + 40],
        arrived[start:at + 40])


def letter(subject="a letter", body="Hello.\n", to="ops@example.net",
           sender="me@site.example"):
    """Unix text, complete: a relay adds Received alone."""
    return ("Date: Mon, 03 Mar 2025 10:00:00 +0000\n"
            "From: %s\nTo: %s\nSubject: %s\n"
            "Message-ID: <%s@client.example>\n\n%s" % (
                sender, to, subject, re.sub(r"\W+", ".", subject),
                body)).encode()
