"""The daemon under test, in a folder of its own."""

import http.client
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess

from . import box, tap

CONFIG = """
identity  = {{ hostname = "relay.example"; origin = "site.example"; }};
root      = "ops@site.example";
listen    = ( {{ socket = "smtp.sock"; }},
              {{ tcp = "127.0.0.1:{tcp_port}"; }} {doors} );
queue     = {{ directory = "queue"; {queue} }};
drop      = {{ directory = "drop"; settle = "{settle}"; }};
admin     = {{ socket = "admin.sock"; }};
limits    = {{ min_free = "1M"; {limits} }};
log       = {{ to = "stderr"; level = "debug"; }};
upstreams = ( {upstreams} );
{more}
"""
RETRY = 'retry = [ "200ms" ];'


def upstream(sink, name="main", more=""):
    """To a sink, plainly."""
    return '{ name = "%s"; host = "127.0.0.1"; port = %d; %s }' % (
        name, sink.port, more)


class Local:
    """What smtplib and http.client lack: a unix socket."""

    def __init__(self, path):
        self.path = path

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(self.path)
        return connection


class LocalSMTP(smtplib.SMTP):
    def __init__(self, path):
        self._local = Local(path)
        super().__init__(path, local_hostname="client.example")

    def _get_socket(self, host, port, timeout):
        return self._local.connect()


class _LocalHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self._local = Local(path)

    def connect(self):
        self.sock = self._local.connect()


class Relay:
    def __init__(self, *upstreams, queue=RETRY, limits="", settle="100ms",
                 doors="", more="", start=True):
        self.folder = os.path.join(box.folder(), "relay")
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        self.settings = {"queue": queue, "limits": limits, "settle": settle,
                         "doors": doors, "more": more, "tcp_port": 0,
                         "upstreams": ", ".join(upstreams)}
        self.process = None
        self.log_at_start = 0
        self.configure()
        os.mkdir(self.path("drop"))
        os.chmod(self.path("drop"), 0o3733)
        tap.on_failure(self._tell)
        if start:
            self.start()

    # -- files --

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def socket(self):
        return self.path("smtp.sock")

    def configure(self, **settings):
        self.settings.update(settings)
        with open(self.path("postrider.conf"), "w") as file:
            file.write(CONFIG.format(**self.settings))

    def log(self):
        try:
            with open(self.path("log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def _tell(self):
        lines = self.log().splitlines()
        for line in lines[-25:]:
            tap.note("log: " + line[:300])

    # -- the process --

    def command(self, *arguments):
        return [box.program("postriderd"), "-c", self.path("postrider.conf"),
                *arguments]

    def start(self, **options):
        with open(self.path("log"), "ab") as log:
            self.process = box.start(self.command(), stderr=log, **options)
        self.wait_ready()

    def wait_ready(self):
        box.until(self._is_ready, "the daemon to start")

    def _is_ready(self):
        assert self.process.poll() is None, \
            "the daemon ended: %d" % self.process.returncode
        return self.answers()

    def answers(self):
        try:
            return self.status()["pid"] == self.process.pid
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def kill(self):
        box.end(self.process, signal.SIGKILL)

    def stop(self):
        """As systemd does; the exit status."""
        return box.end(self.process, signal.SIGTERM)

    # -- the admin socket --

    def ask(self, method, target, body=None):
        """Status, and the answer's octets."""
        connection = _LocalHTTP(self.path("admin.sock"))
        try:
            connection.request(
                method, target, None if body is None else json.dumps(body),
                {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self):
        status, body = self.ask("GET", "/v1/status")
        if status != 200:
            raise ValueError("status %d" % status)
        return json.loads(body)

    def queue(self):
        status, body = self.ask("GET", "/v1/queue")
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]

    def do(self, verb, **body):
        status, answer = self.ask("POST", "/v1/" + verb, body)
        assert status == 200, answer
        return json.loads(answer)

    def is_empty(self):
        return self.status()["queue"]["messages"] == 0

    def wait_empty(self, seconds=20):
        box.until(self.is_empty, lambda: "the queue to empty: %s" % [
            (item["queue_id"], item["state"], item["recipients"])
            for item in self.queue()[:5]], seconds)

    @property
    def tcp_port(self):
        return self.port_at("127.0.0.1")

    def port_at(self, host):
        for address in self.status()["listeners"]:
            if (match := re.fullmatch(re.escape(host) + r":(\d+)", address)):
                return int(match[1])
        raise AssertionError("no TCP door at " + host)

    # -- sending --

    def smtp(self):
        """A client at the unix socket."""
        return LocalSMTP(self.socket)

    def tcp(self):
        return smtplib.SMTP("127.0.0.1", self.tcp_port,
                            local_hostname="client.example", timeout=30)

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "POSTRIDER_SOCKET": self.socket,
                "POSTRIDER_DROP": self.path("drop"),
                "POSTRIDER_ADMIN_SOCKET": self.path("admin.sock"), **more}

    def sendmail(self, *arguments, input=b"", name="sendmail", uid=None,
                 environment={}, **options):
        """Run our sendmail: its result, with stdout and stderr."""
        program = box.program("sendmail")
        if uid is not None:
            options.update(user=uid, group=uid, extra_groups=[])
            program = self.program_for_all(program)
        return subprocess.run(
            [name, *arguments], executable=program, input=input,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment(**environment), timeout=60, **options)

    def program_for_all(self, program):
        """A copy where every user may go: the build may lie in a home."""
        copy = self.path(os.path.basename(program))
        if not os.path.exists(copy):
            shutil.copy(program, copy)
        return copy

    def tool(self, *arguments, check=True):
        """Run postrider(1)."""
        result = subprocess.run(
            [box.program("postrider"), "-c", self.path("postrider.conf"),
             *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60)
        assert not check or result.returncode == 0, result
        return result
