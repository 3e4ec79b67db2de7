"""An SMTP server that keeps what it gets, and answers as it is told to.

    sink = Sink()                       listens on a port of the kernel's choice
    sink.answer = function              function(verb, argument, session) gives
                                        another reply than the usual one, or None
    sink.messages                       what was accepted, in order

It is strict: a bare LF or CR on the wire, a line too long, a command out of
order are noted in sink.faults, and a test that uses it asks for none.
"""

import base64
import re
import socket
import threading

EXTENSIONS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN",
              "ENHANCEDSTATUSCODES", "CHUNKING")


class Message:
    def __init__(self, sender, parameters, session):
        self.sender = sender
        self.parameters = parameters
        self.recipients = []
        self.recipient_parameters = []
        self.data = b""
        self.session = session

    @property
    def header(self):
        return self.data.split(b"\r\n\r\n", 1)[0] + b"\r\n"

    @property
    def body(self):
        return self.data.split(b"\r\n\r\n", 1)[1]

    def fields(self, name):
        """The values of the fields of this name, unfolded."""
        text = re.sub(rb"\r\n(?=[ \t])", b"", self.header)
        prefix = name.lower().encode() + b":"
        return [line[len(prefix):].strip() for line in text.split(b"\r\n")
                if line.lower().startswith(prefix)]

    def field(self, name):
        values = self.fields(name)
        assert len(values) == 1, "%d fields %s in\n%s" % (
            len(values), name, self.header.decode(errors="replace"))
        return values[0].decode(errors="replace")


class _Gone(Exception):
    pass


class Session:
    """One connection, on a thread of its own."""

    def __init__(self, sink, connection):
        self.sink = sink
        self.connection = connection
        self.pending = b""
        self.secure = sink.implicit_tls
        self.user = None
        self.said_hello = False
        self.message = None
        self.chunks = None
        self.commands = []

    # -- octets --

    def _more(self):
        piece = self.connection.recv(65536)
        if not piece:
            raise _Gone
        self.pending += piece

    def line(self):
        while b"\n" not in self.pending:
            self._more()
        line, self.pending = self.pending.split(b"\n", 1)
        if not line.endswith(b"\r"):
            self.sink.faults.append("bare LF in %r" % line)
        line = line.removesuffix(b"\r")
        if b"\r" in line:
            self.sink.faults.append("bare CR in %r" % line)
        return line

    def octets(self, count):
        pieces = [self.pending[:count]]
        self.pending = self.pending[count:]
        missing = count - len(pieces[0])
        while missing > 0:
            piece = self.connection.recv(min(missing, 65536))
            if not piece:
                raise _Gone
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def say(self, text):
        lines = text.split("\n")
        for i, line in enumerate(lines):
            if i + 1 < len(lines):
                line = line[:3] + "-" + line[4:]
            lines[i] = line + "\r\n"
        self.connection.sendall("".join(lines).encode())

    # -- the dialogue --

    def run(self):
        try:
            if self.secure:
                self._secure()
            self._reply("CONNECT", "", "220 sink.example ESMTP")
            while True:
                line = self.line().decode("utf-8", "surrogateescape")
                verb, _, argument = line.partition(" ")
                self.commands.append(line)
                function = getattr(self, "_do_" + verb.lower(), None)
                if function is None:
                    self._reply(verb.upper(), argument, "500 5.5.2 what?")
                else:
                    function(argument)
        except (_Gone, OSError):
            pass
        finally:
            self.connection.close()
            self.sink.forget(self)

    def _reply(self, verb, argument, usual):
        told = self.sink.answer(verb, argument, self)
        reply = told or usual
        if reply == "close":
            raise _Gone
        self.say(reply)
        if reply.startswith("421"):
            raise _Gone
        return reply[0] in "23"

    def _secure(self):
        self.connection = self.sink.tls.wrap_socket(self.connection,
                                                    server_side=True)
        self.secure = True

    def _do_ehlo(self, argument):
        self.said_hello = True
        self.message = None
        words = ["sink.example", *self.sink.extensions]
        if self.sink.tls and not self.secure:
            words.append("STARTTLS")
        if self.sink.users and (self.secure or self.sink.auth_in_clear):
            words.append("AUTH " + self.sink.mechanisms)
        self._reply("EHLO", argument, "\n".join("250 " + word for word in words))

    def _do_helo(self, argument):
        self.said_hello = True
        self._reply("HELO", argument, "250 sink.example")

    def _do_starttls(self, argument):
        if not self._reply("STARTTLS", argument, "220 2.0.0 go on"):
            return
        if self.pending:
            self.sink.faults.append("octets behind STARTTLS")
        self._secure()
        self.said_hello = False

    def _do_auth(self, argument):
        mechanism, _, initial = argument.partition(" ")
        if not self.secure:
            self.sink.faults.append("AUTH without TLS")
        if mechanism.upper() == "PLAIN":
            text = base64.b64decode(initial or self._ask("")).decode()
            _, user, password = text.split("\0")
        else:
            user = base64.b64decode(
                initial or self._ask("Username:")).decode()
            password = base64.b64decode(self._ask("Password:")).decode()
        good = self.sink.users.get(user) == password
        if self._reply("AUTH", user, "235 2.7.0 welcome" if good
                       else "535 5.7.8 wrong user or password"):
            self.user = user

    def _ask(self, text):
        self.say("334 " + base64.b64encode(text.encode()).decode())
        return self.line()

    def _path(self, argument, word):
        match = re.fullmatch(r"(?i)%s:<([^>]*)>((?: \S+)*)" % word, argument)
        if match is None:
            self.sink.faults.append("syntax: %s" % argument)
            return "", []
        return match[1], match[2].split()

    def _do_mail(self, argument):
        if not self.said_hello or self.message:
            self.sink.faults.append("MAIL out of order")
        if self.sink.users and not self.user:
            self._reply("MAIL", argument, "530 5.7.0 authentication required")
            return
        sender, parameters = self._path(argument, "FROM")
        if self._reply("MAIL", argument, "250 2.1.0 ok"):
            self.message = Message(sender, parameters, self)

    def _do_rcpt(self, argument):
        recipient, parameters = self._path(argument, "TO")
        if self.message is None:
            self._reply("RCPT", argument, "503 5.5.1 no sender")
        elif self._reply("RCPT", argument, "250 2.1.5 ok"):
            self.message.recipients.append(recipient)
            self.message.recipient_parameters.append(parameters)

    def _do_data(self, argument):
        if self.message is None or not self.message.recipients:
            self._reply("DATA", argument, "503 5.5.1 no recipients")
            return
        if not self._reply("DATA", argument, "354 go on"):
            return
        lines = []
        while (line := self.line()) != b".":
            if len(line) > 998:
                self.sink.faults.append("a line of %d octets" % len(line))
            lines.append(line.removeprefix(b".") + b"\r\n")
        self.message.data = b"".join(lines)
        self._finish()

    def _do_bdat(self, argument):
        words = argument.upper().split()
        octets = self.octets(int(words[0]))
        if self.message is None or not self.message.recipients:
            self._reply("BDAT", argument, "503 5.5.1 no recipients")
            return
        self.message.data += octets
        if words[1:] == ["LAST"]:
            self._check_chunked()
            self._finish()
        else:
            self._reply("BDAT", argument, "250 2.0.0 more")

    def _check_chunked(self):
        data = self.message.data
        if re.search(rb"(?<!\r)\n|\r(?!\n)", data):
            self.sink.faults.append("bare CR or LF by BDAT")
        if max(map(len, data.split(b"\r\n"))) > 998:
            self.sink.faults.append("a line over 998 octets by BDAT")

    def _finish(self):
        message, self.message = self.message, None
        # Kept first: whoever sees the reply finds the message.
        told = self.sink.answer("END", message, self)
        if not told or told[0] in "23":
            self.sink.keep(message)
        if told == "close":
            raise _Gone
        self.say(told or "250 2.0.0 kept")
        if told and told.startswith("421"):
            raise _Gone

    def _do_rset(self, argument):
        self.message = None
        self._reply("RSET", argument, "250 2.0.0 ok")

    def _do_noop(self, argument):
        self._reply("NOOP", argument, "250 2.0.0 ok")

    def _do_etrn(self, argument):
        self._reply("ETRN", argument, "459 4.7.1 not here")

    def _do_quit(self, argument):
        self._reply("QUIT", argument, "221 2.0.0 bye")
        raise _Gone


class Sink:
    def __init__(self, extensions=EXTENSIONS, tls=None, implicit_tls=False,
                 users=None, mechanisms="PLAIN LOGIN", auth_in_clear=False,
                 port=0):
        self.extensions = list(extensions)
        self.tls = tls                  # an ssl.SSLContext
        self.implicit_tls = implicit_tls
        self.users = users or {}
        self.mechanisms = mechanisms
        self.auth_in_clear = auth_in_clear
        self.answer = lambda verb, argument, session: None
        self.messages = []
        self.faults = []
        self.connections = 0
        self.port = port
        self._sessions = set()
        self._lock = threading.Lock()
        self._listener = None
        self.open()

    def open(self):
        """Listen, on the same port again after a close()."""
        self._listener = socket.create_server(("127.0.0.1", self.port),
                                              backlog=1024)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,),
                         daemon=True).start()

    def close(self):
        """Go away, in the middle of everything."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, connection)
            with self._lock:
                self.connections += 1
                self._sessions.add(session)
            threading.Thread(target=session.run, daemon=True).start()

    def forget(self, session):
        with self._lock:
            self._sessions.discard(session)

    def keep(self, message):
        with self._lock:
            self.messages.append(message)

    def to(self, recipient):
        """The messages that this recipient got."""
        with self._lock:
            return [message for message in self.messages
                    if recipient in message.recipients]
