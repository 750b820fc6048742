"""From a certificate on the wire to the device of a record, and a lie about it to its trouble."""

import socket
import ssl

from support.certificates import Authority
from support.installation import eventually

TEXT = """
data_dir = "data"
[[listener]]
name = "tls"
protocol = "tls"
address = "127.0.0.1:0"
certificate = "tls/collector.pem"
key = "tls/collector.key"
client_ca = "tls/ca.pem"
[web]
address = "127.0.0.1:0"
[[device]]
name = "by-fingerprint"
certificates = ["sha256:{fingerprint}"]
[[device]]
name = "by-subject"
certificates = ["C=NL,O=Example,CN=two"]
serials = ["150719"]
[[device]]
name = "by-common-name"
certificates = ["three"]
[[device]]
name = "by-host-name"
hosts = ["four", "192.0.2.4"]
"""
LINE = b"<13>1 2026-11-23T08:15:01Z %b sshd 7 - - hello from %b\n"


def send(site, authority, pair, claimed, word):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.certificate)
    context.load_cert_chain(pair.certificate, pair.key)
    plain = socket.create_connection(("127.0.0.1", site.port("tls")), 20)
    with context.wrap_socket(plain, server_hostname="localhost") as sender:
        sender.sendall(LINE % (claimed, word))


def test_a_certificate_names_the_device(site):
    """By fingerprint, subject or common name; a line that claims another host is believed less, and says so."""
    authority = Authority(site.folder / "tls")
    authority.issue("/CN=collector", "collector")
    one, two, three, other = (
        authority.issue(f"/C=NL/O=Example/CN={name}", name) for name in ("one", "two", "three", "other")
    )
    site.write(TEXT.format(fingerprint=one.fingerprint.upper()))
    site.start()
    site.running("receiver", "service")
    for pair, claimed, word in (
        (one, b"one", b"a"),
        (two, b"-", b"b"),
        (three, b"three", b"c"),
        (three, b"four", b"d"),
        (other, b"four", b"e"),
    ):
        send(site, authority, pair, claimed, word)
    rows = eventually(
        lambda: (
            found
            if len(
                found := site.query(
                    "SELECT right(raw, 1) AS word, device, trouble, peer_identity, transport FROM records ORDER BY word"
                )
            )
            == 5
            else None
        )
    )
    assert [(row["word"], row["device"], row.get("trouble", "")) for row in rows] == [
        ("a", "by-fingerprint", ""),
        ("b", "by-subject", ""),
        ("c", "by-common-name", ""),
        ("d", "by-common-name", "device: certificate says by-common-name, host name says by-host-name"),
        ("e", "by-host-name", ""),
    ]
    assert rows[0]["peer_identity"] == f"C=NL,O=Example,CN=one sha256:{one.fingerprint}"
    assert {row["transport"] for row in rows} == {"tls"}
