"""aiosmtpd behind doors of every kind, for lib/keeper.py.

    keeper_aiosmtpd.py FOLDER CERTIFICATE KEY USER PASSWORD

stdout gets a line of JSON when all are open: where they are.  Each letter
becomes NUMBER.eml in FOLDER, its octets as they came, and then NUMBER.json.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult

folder, certificate, key, user, password = sys.argv[1:]


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=good, handled=False,
                      auth_data="%s %s" % (mechanism, user))


class Keeper:
    def __init__(self):
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.append(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        secure = session.ssl or server.transport.get_extra_info("ssl_object")
        self.keep(envelope.original_content, {
            "sender": envelope.mail_from, "recipients": envelope.rcpt_tos,
            "parameters": envelope.mail_options,
            "recipient_parameters": envelope.rcpt_options,
            "login": session.auth_data,
            "tls": self.version(server) if secure else None})
        if not isinstance(server, LMTP):
            return "250 2.0.0 kept"
        return "\r\n".join(
            "452 4.2.2 full" if name.startswith("full@") else "250 2.0.0 kept"
            for name in envelope.rcpt_tos)

    def version(self, server):
        return server.transport.get_extra_info("ssl_object").version()

    def keep(self, octets, told):
        self.count += 1
        path = os.path.join(folder, "%04d" % self.count)
        with open(path + ".eml", "wb") as file:
            file.write(octets)
        with open(path + ".new", "w") as file:
            json.dump(told, file)
        os.rename(path + ".new", path + ".json")


async def serve():
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    keeper = Keeper()
    common = {"enable_SMTPUTF8": True, "data_size_limit": 6 << 20}
    login = {"auth_required": True, "authenticator": authenticate}

    async def tcp(make, **options):
        server = await loop.create_server(make, "127.0.0.1", 0, **options)
        return "127.0.0.1:%d" % server.sockets[0].getsockname()[1]

    doors = {
        "clear": await tcp(lambda: SMTP(keeper, **common)),
        "starttls": await tcp(lambda: SMTP(
            keeper, tls_context=context, require_starttls=True, **login,
            **common)),
        "implicit": await tcp(lambda: SMTP(
            keeper, auth_require_tls=False, **login, **common), ssl=context),
        "lmtp": await tcp(lambda: LMTP(keeper, **common)),
        "lmtp socket": os.path.join(folder, "lmtp.sock"),
    }
    await loop.create_unix_server(lambda: LMTP(keeper, **common),
                                  doors["lmtp socket"])
    print(json.dumps(doors), flush=True)
    await asyncio.Event().wait()


asyncio.run(serve())
