"""Letters of every kind that a client must bring over whole."""

import functools
import random

HEAD = ("Date: Mon, 03 Mar 2025 10:00:00 +0000\r\n"
        "From: me@site.example\r\nTo: ops@example.net\r\n"
        "Subject: %s\r\nMessage-ID: <%s@client.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: %s\r\n"
        "Content-Transfer-Encoding: %s\r\n\r\n")
# A line may hold any octet but NUL, CR and LF.
EVERY_OCTET = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")


@functools.cache
def _large():
    """5 MB, with dots where blocks of every likely size end."""
    chance = random.Random(5)
    pieces, size = [], 0
    while size < 5_000_000:
        line = b"." * chance.randrange(3) + chance.randbytes(
            chance.randrange(40)).hex().encode() + b"\r\n"
        pieces.append(line)
        size += len(line)
    return b"".join(pieces)


def _letter(kind, encoding, body):
    def make(token):
        head = HEAD % (token.replace("-", " "), token, kind, encoding)
        return head.encode() + (body() if callable(body) else body)
    return make


def _text(body, charset="us-ascii", encoding="7bit"):
    return _letter("text/plain; charset=" + charset, encoding, body)


# What it is: a function that gives its octets when told its token.
CONTENTS = {
    "a letter": _text(b"Hello.\r\n"),
    "a letter in windows-1251": _text(
        "Здравствуй, мама!\r\nЯ жив.\r\n".encode("cp1251"),
        "windows-1251", "8bit"),
    "lines that begin with dots": _text(
        b".\r\n..\r\n.x\r\n....\r\n\r\n.\r\n\r\n. \r\n.QUIT\r\n.\r\n"),
    "an empty body": _text(b""),
    "an empty line for a body": _text(b"\r\n"),
    "a line of 998 octets": _text(
        b"x" * 998 + b"\r\n." + b"y" * 997 + b"\r\nshort\r\n"),
    "no final newline": _text(b"one\r\n\r\ntwo"),
    "every octet but NUL, CR and LF": _letter(
        "application/octet-stream", "8bit",
        EVERY_OCTET + b"\r\n" + EVERY_OCTET[::-1] * 3 + b"\r\n"),
    "5 MB": _text(_large),
}


def whole(octets):
    """As it is when it arrives: SMTP ends it with a line's end."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"
