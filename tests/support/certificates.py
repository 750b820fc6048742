"""Certificates for tests, by the openssl command: an authority, what it signs, what it takes back."""

import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

CONFIGURATION = """
[ca]
default_ca = this
[this]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
[req]
distinguished_name = any_name
[any_name]
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self):
        return sha256(PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest()


class Authority:
    def __init__(self, folder, name="Test authority"):
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "ca.cnf").write_text(CONFIGURATION.format(folder=folder))
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("01\n")
        self.certificate = folder / "ca.pem"
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
            *("-config", folder / "ca.cnf", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", folder / "ca.key", "-out", self.certificate),
        )

    def issue(self, subject, name, *more, names="DNS:localhost,IP:127.0.0.1"):
        """`subject` as '/O=x/CN=y'; `more` goes to `openssl ca`."""
        key, request, certificate = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        openssl(
            *(
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-config",
                self.folder / "ca.cnf",
            ),
            *("-subj", subject, "-addext", f"subjectAltName={names}", "-keyout", key, "-out", request),
        )
        self._ca("-notext", "-in", request, "-out", certificate, *more)
        return Pair(certificate, key)

    def expired(self, subject, name):
        return self.issue(subject, name, "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")

    def revocation_list(self, *pairs):
        """A list that takes these back, with all that were taken back before."""
        for pair in pairs:
            self._ca("-revoke", pair.certificate)
        self._ca("-gencrl", "-out", self.folder / "list.crl")
        return self.folder / "list.crl"

    def _ca(self, *words):
        openssl("ca", "-batch", "-config", self.folder / "ca.cnf", *words)


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
