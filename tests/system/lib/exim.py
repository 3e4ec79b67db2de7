"""A real Exim in a guest, on fixed ports of the test's own network: 25 without
TLS, 587 with STARTTLS and 465 with implicit TLS, both with AUTH required."""

from . import box, certificates, guest, peer

CONFIG = r"""
SECRET = ${readfile{/etc/exim4/secret}}
primary_hostname = %(name)s
daemon_smtp_ports = 25 : 587 : 465
tls_on_connect_ports = 465
local_interfaces = 127.0.0.1
host_lookup =
log_file_path = /var/log/exim4/%%slog
message_size_limit = 6M
tls_certificate = /etc/exim4/certificate.pem
tls_privatekey = /etc/exim4/key.pem
tls_advertise_hosts = ${if eq{$received_port}{25}{}{*}}
tls_try_verify_hosts = *
tls_verify_certificates = /etc/exim4/ca.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
dsn_advertise_hosts = *
received_header_text = Received: from $sender_helo_name \
  by $primary_hostname with $received_protocol ${tls_in_ver} \
  (user=$authenticated_id $sender_host_authenticated) id $message_exim_id; \
  $tod_full
acl_smtp_rcpt = recipient
acl_smtp_data = accept

begin acl
recipient:
  deny message = 5.7.0 authentication required
    !condition = ${if eq{$received_port}{25}}
    !authenticated = *
  deny message = 5.1.1 nobody of that name
    local_parts = nobody
  accept

begin routers
inbox:
  driver = accept
  transport = inbox

begin transports
inbox:
  driver = appendfile
  directory = %(inbox)s
  maildir_format
  user = mail
  group = mail
  return_path_add
  envelope_to_add
  delivery_date_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{%(user)s}}{eq{$auth3}{SECRET}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{%(user)s}}{eq{$auth2}{SECRET}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{%(user)s}{SECRET}fail}
  server_set_id = $auth1
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = $tls_in_certificate_verified
  server_param2 = ${certextract{subject,CN}{$tls_in_peercert}}
  server_condition = ${if eq{$auth1}{$auth2}}
  server_set_id = $auth1
"""
# With the users of /etc/sasldb2.
CYRUS = """
cyrus%(number)d:
  driver = cyrus_sasl
  public_name = %(mechanism)s
  server_realm = %(name)s
  server_set_id = $auth1
"""


class Exim(peer.MaildirPeer):
    name = "Exim"
    recipient_field = b"envelope-to"
    tls_pattern = rb" (TLS1\S+)"
    offers = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING"}
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
    adds = {b"return-path", b"envelope-to", b"delivery-date", b"received"}

    def __init__(self):
        work = box.folder()
        super().__init__(guest.Guest(work, ["exim"]),
                         certificates.Authority(work))
        self.doors = {"clear": "127.0.0.1:25", "starttls": "127.0.0.1:587",
                      "implicit": "127.0.0.1:465"}
        self.own_user("Debian-exim", "/var/spool/exim4", "/var/log/exim4")
        self.certify("/etc/exim4", "Debian-exim")
        self.guest.write("/etc/exim4/secret", self.password)
        self.sasl_user("exim", "Debian-exim")
        self.make_inbox()
        self.guest.write("/etc/exim4/exim4.conf", self._config())
        self.log = "/var/log/exim4/mainlog"
        self.process = self.guest.start("/usr/sbin/exim4", "-bdf")
        self.wait_ready()

    def _config(self):
        texts = {"name": peer.NAME, "inbox": peer.INBOX, "user": self.user}
        return CONFIG % texts + "".join(
            CYRUS % dict(texts, number=number, mechanism=mechanism)
            for number, mechanism in enumerate(self.mechanisms)
            if mechanism.startswith("SCRAM"))
