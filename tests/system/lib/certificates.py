"""A certificate authority of the test's own, and certificates from it."""

import os
import shutil
import ssl
import subprocess


def missing():
    """Why there is none, or None."""
    return None if shutil.which("openssl") else "needs openssl"


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.file = os.path.join(folder, "ca.pem")
        self._key("ca")
        _openssl(folder, "req", "-x509", "-new", "-key", "ca.key", "-out",
                 "ca.pem", "-days", "2", "-subj", "/CN=authority of a test")

    def _key(self, name):
        _openssl(self.folder, "genpkey", "-algorithm", "EC", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-out", name + ".key")

    def certificate(self, name, days=2):
        """Certificate and key for the host name; their paths."""
        self._key(name)
        with open(os.path.join(self.folder, name + ".ext"), "w") as file:
            file.write("subjectAltName=DNS:%s\n" % name)
        _openssl(self.folder, "req", "-new", "-key", name + ".key", "-subj",
                 "/CN=" + name, "-out", name + ".csr")
        _openssl(self.folder, "x509", "-req", "-in", name + ".csr", "-CA",
                 "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                 str(days), "-extfile", name + ".ext", "-out", name + ".pem")
        return tuple(os.path.join(self.folder, name + end)
                     for end in (".pem", ".key"))

    def server(self, name, **options):
        """For Sink(tls=)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(name, **options))
        return context
