"""TLS: certificates of both sides, identity of each record, reasons of each failure, and nobody waits for another."""

import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ingest.receiving import Receiver, ReceiverError, ReceiverSettings
from ingest.sockets import TlsSettings
from ingest.tls_files import identity_of
from support.certificates import Authority


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An authority, the collector's certificate, and senders of several kinds."""
    authority = Authority(tmp_path_factory.mktemp("tls") / "senders")
    stranger = Authority(authority.folder / "stranger", "Another authority")
    return SimpleNamespace(
        authority=authority,
        server=authority.issue("/CN=collector", "collector"),
        sender=authority.issue("/C=NL/O=Example/CN=hsm-1", "hsm-1"),
        revoked=(revoked := authority.issue("/CN=hsm-2", "hsm-2")),
        expired=authority.expired("/CN=hsm-3", "hsm-3"),
        stranger=stranger.issue("/CN=hsm-1", "stranger"),
        stranger_ca=stranger.certificate,
        revocations=authority.revocation_list(revoked),
    )


@pytest.fixture
def files(made, tmp_path):
    """Settings of TLS over files of this test's own."""
    folder = tmp_path / "tls"
    folder.mkdir()
    return TlsSettings(
        certificate=shutil.copy(made.server.certificate, folder / "server.pem"),
        key=shutil.copy(made.server.key, folder / "server.key"),
        client_ca=shutil.copy(made.authority.certificate, folder / "ca.pem"),
    )


@pytest.fixture
def listening(site, settings, files):
    """Start a TLS listener; words change its TLS settings."""

    def start(listener=None, **more):
        return site.start(settings("tls", tls=replace(files, **more), **(listener or {})))

    return start


def client(made, pair=None, ca=None, highest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca or made.authority.certificate)
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    if highest:
        context.maximum_version = highest
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def connect(site, context, octets=b""):
    plain = encrypted = socket.create_connection(site.address("tls"), 20)
    try:
        encrypted = context.wrap_socket(plain, server_hostname="localhost")
        encrypted.sendall(octets)
    except OSError:
        encrypted.close()
        raise
    return encrypted


def messages(rows):
    return [(row["raw"], row["trouble"]) for row in rows]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_lines_carry_who_sent_them(site, listening, made, version):
    """Subject and fingerprint of the certificate, whatever the version; counted frames as RFC 5425 has them."""
    listening()
    context = client(made, made.sender, highest=version)
    context.minimum_version = version
    with connect(site, context, b"5 first6 second") as sender:
        assert sender.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        source = sender.getsockname()
    rows = site.stop()
    assert messages(rows) == [(b"first", ""), (b"second", "")]
    assert {row["peer_identity"] for row in rows} == {f"C=NL,O=Example,CN=hsm-1 sha256:{made.sender.fingerprint}"}
    assert {(row["peer"], row["peer_port"], row["transport"], row["listener"]) for row in rows} == {
        (*source, "tls", "tls")
    }
    assert site.listener("tls")["connections"] == {"accepted": 1, "refused": 0, "tls_failed": 0, "without_message": 0}


def test_without_client_ca_nobody_is_asked_for_a_certificate(site, listening, made):
    """And an identity that nobody vouched for is none."""
    listening(client_ca=None)
    connect(site, client(made, made.sender), b"line\n").close()
    assert [(row["raw"], row["peer_identity"]) for row in site.stop()] == [(b"line", "")]


def test_many_lines_at_once_are_all_there(site, listening, made):
    """Records of every size, more than one read takes."""
    listening()
    wanted = [b"line %d %s" % (number, b"x" * (number % 700)) for number in range(60_000)]
    octets = b"".join(line + b"\n" for line in wanted)
    with connect(site, client(made, made.sender)) as sender:
        place, size = 0, 1
        while place < len(octets):
            sender.sendall(octets[place : place + size])
            place, size = place + size, size * 7 % 1_000_003
    assert [row["raw"] for row in site.stop()] == wanted


def test_another_program_sends_and_leaves_at_once(site, listening, made):
    """The openssl command, which never reads and closes behind its last byte: all its lines are there."""
    listening()
    host, port = site.address("tls")
    wanted = [b"line %05d from a program of its own" % number for number in range(20_000)]
    words = ["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"{host}:{port}"]
    words += ["-CAfile", made.authority.certificate, "-cert", made.sender.certificate, "-key", made.sender.key]
    octets = b"".join(line + b"\n" for line in wanted)
    subprocess.run(words, input=octets, capture_output=True, check=True, timeout=60)
    assert [row["raw"] for row in site.stop()] == wanted


def test_what_is_left_when_a_sender_hangs_up_is_kept(site, listening, made):
    """With and without its goodbye."""
    listening()
    for goodbye in (True, False):
        sender = connect(site, client(made, made.sender), b"whole\n9 half")
        if goodbye:
            sender.unwrap().close()
        sender.close()
    rows = site.stop()
    assert sorted(messages(rows)) == sorted([(b"whole", ""), (b"half", "incomplete")] * 2)


def speaks(octets):
    def go(site, made):
        with socket.create_connection(site.address("tls"), 20) as plain:
            plain.sendall(octets)
            plain.recv(1)

    return go


def shows(name, **more):
    def go(site, made):
        ca = made.stranger_ca if more.get("distrusts") else None
        context = client(made, name and getattr(made, name), ca, more.get("highest"))
        with connect(site, context) as sender:
            sender.recv(1)

    return go


def hangs_up(site, made):
    socket.create_connection(site.address("tls"), 20).close()


FAILURES = {
    "no certificate": (shows(None), "the sender showed no certificate"),
    "another authority": (shows("stranger"), "not accepted: unable to get local issuer certificate"),
    "expired": (shows("expired"), "not accepted: certificate has expired"),
    "revoked": (shows("revoked"), "not accepted: certificate revoked"),
    "an old version": (shows("sender", highest=ssl.TLSVersion.TLSv1_1), "below minimum_version"),
    "who distrusts us": (shows("sender", distrusts=True), "does not know who signed our certificate"),
    "HTTP": (speaks(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "speaks HTTP"),
    "plain syslog": (speaks(b"<13>Nov 23 08:15:01 hsm-1 lunash[7]: hello\n"), "speaks no TLS"),
    "noise": (speaks(b"\x16\x03\x01\x00\x05hello"), "speaks no TLS"),
    "a hang-up": (hangs_up, "hung up"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_a_handshake_that_fails_says_why(site, listening, made, eventually, caplog, name):
    """In one line of our log, counted, and nothing of it is spooled."""
    act, reason = FAILURES[name]
    listening(revocation_list=made.revocations)
    with suppress(OSError):  # the sender is told too
        act(site, made)
    eventually(lambda: site.listener("tls")["connections"]["tls_failed"] == 1)
    said = [record.facts for record in caplog.records if record.getMessage() == "tls_handshake_failed"]
    assert len(said) == 1
    assert reason in said[0]["reason"]
    assert said[0]["peer"] == "127.0.0.1"
    assert site.stop() == []
    assert site.listener("tls")["connections"]["accepted"] == 1


def test_minimum_version(site, listening, made):
    """1.3 refuses 1.2."""
    listening(minimum_version="1.3")
    with pytest.raises(OSError, match=r"(?i)version|reset"):
        connect(site, client(made, made.sender, highest=ssl.TLSVersion.TLSv1_2))
    connect(site, client(made, made.sender), b"line\n").close()
    assert messages(site.stop()) == [(b"line", "")]


def test_a_handshake_that_never_ends_keeps_nobody_waiting(site, listening, made, eventually):
    """200 silent ones: others send meanwhile, and each is closed when its time is over."""
    listening(handshake_seconds=5.0)
    silent = [socket.create_connection(site.address("tls"), 20) for _ in range(200)]
    begun = time.monotonic()
    connect(site, client(made, made.sender), b"line\n").close()
    eventually(lambda: site.listener("tls")["spooled"] == 1)
    assert time.monotonic() - begun < 5
    eventually(lambda: site.listener("tls")["connections"]["tls_failed"] == 200)
    for one in silent:
        assert one.recv(1) == b""
        one.close()
    assert site.receiver._listeners[0].door.inside == 0


def test_limits_hold_for_handshakes_too(site, listening, made, closed, eventually):
    """Who only begins takes a place, and gives it back."""
    listening({"max_connections_per_peer": 1}, handshake_seconds=60.0)
    with socket.create_connection(site.address("tls"), 20), site.connect("tls") as second:
        assert closed(second)
    eventually(lambda: site.listener("tls")["connections"]["tls_failed"] == 1)
    connect(site, client(made, made.sender), b"line\n").close()
    assert messages(site.stop()) == [(b"line", "")]
    assert site.listener("tls")["connections_refused"] == {"too_many_connections_of_peer": 1}


def test_a_silent_connection_is_closed_with_a_goodbye(site, listening, made):
    """The close_notify of RFC 5425: the sender can tell it from an attack."""
    listening({"idle_seconds": 0.05})
    with connect(site, client(made, made.sender)) as sender:
        sender.suppress_ragged_eofs = False
        assert sender.recv(1) == b""
    site.stop()
    assert site.listener("tls")["connections"]["without_message"] == 1


def test_a_stop_takes_what_was_sent(site, listening, made):
    """From connections that were read, that were greeted, and that nobody had accepted yet."""
    listening()
    senders = [
        connect(site, client(made, made.sender), b"".join(b"line %d of %d\n" % (i, j) for i in range(2000)))
        for j in range(20)
    ]
    rows = site.stop()
    for sender in senders:
        sender.close()
    assert sorted(row["raw"] for row in rows) == sorted(
        b"line %d of %d" % (i, j) for i in range(2000) for j in range(20)
    )


def test_a_stop_waits_no_longer_than_it_may(site, listening, made):
    """Neither for a sender without end, nor for a handshake without end."""
    listening({"drain_seconds": 0.3}, handshake_seconds=60.0)
    going = threading.Event()

    def flood(sender):
        while not going.is_set():
            try:
                sender.sendall(b"x" * 60_000 + b"\n")
            except OSError:
                return

    with connect(site, client(made, made.sender)) as sender, socket.create_connection(site.address("tls"), 20):
        thread = threading.Thread(target=flood, args=(sender,))
        thread.start()
        begun = time.monotonic()
        site.stop()
        took = time.monotonic() - begun
        going.set()
        thread.join()
    assert took < 5
    assert site.listener("tls")["connections"]["tls_failed"] == 1


def test_a_connection_that_breaks_keeps_what_came(site, listening, made, eventually):
    """A forged record ends it, and is said."""
    listening()
    sender = connect(site, client(made, made.sender), b"line\nrest")
    eventually(lambda: site.listener("tls")["spooled"] == 1)
    plain = socket.socket(fileno=os.dup(sender.fileno()))
    plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    eventually(lambda: site.listener("tls")["spooled"] == 2)
    plain.close()
    sender.close()
    assert messages(site.stop()) == [(b"line", ""), (b"rest", "incomplete")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # ssl leaves its socket to the collector
def test_a_reset_within_a_handshake_is_counted(site, listening, eventually):
    """And the listener goes on."""
    listening()
    for _ in range(20):
        with socket.create_connection(site.address("tls"), 20) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: site.listener("tls")["connections"]["tls_failed"] == 20)
    assert not site.receiver.failed.is_set()


def shown_by(site, made):
    """The common name that the collector shows to a new connection."""
    with connect(site, client(made, made.sender)) as sender:
        return dict(name[0] for name in sender.getpeercert()["subject"])["commonName"]


def test_renewed_certificates_are_used_and_nobody_is_cut_off(site, listening, made, files, eventually):
    """New connections see them within seconds; the old ones go on. Half-copied and broken files change nothing."""
    renewed = made.authority.issue("/CN=renewed", "renewed")
    listening()
    with connect(site, client(made, made.sender), b"before\n") as old:
        shutil.copy(renewed.certificate, files.certificate)  # its key is not there yet
        time.sleep(1.5)
        assert shown_by(site, made) == "collector"
        shutil.copy(renewed.key, files.key)
        eventually(lambda: shown_by(site, made) == "renewed")
        files.key.write_text("rubbish")
        old.sendall(b"after\n")
        eventually(lambda: site.listener("tls")["spooled"] == 2)
    assert messages(site.stop()) == [(b"before", ""), (b"after", "")]


def test_new_settings_count_for_new_connections(site, listening, made, files, eventually, caplog):
    """As SIGHUP brings them: another version, another certificate; the open connection goes on. Said again when asked."""
    listening()
    highest = ssl.TLSVersion.TLSv1_2
    with connect(site, client(made, made.sender, highest=highest), b"before\n") as old:
        renewed = made.authority.issue("/CN=renewed", "again")
        tls = replace(files, certificate=renewed.certificate, key=renewed.key, minimum_version="1.3")
        fresh = replace(site.listeners[0], tls=tls)
        assert site.receiver.follow(replace(site.receiver._settings, listeners=(fresh,))) == []
        eventually(lambda: shown_by(site, made) == "renewed")
        with pytest.raises(OSError, match=r"(?i)version|reset"):
            connect(site, client(made, made.sender, highest=highest))
        old.sendall(b"after\n")
        eventually(lambda: site.listener("tls")["spooled"] == 2)
        gone = replace(fresh, tls=replace(tls, key=files.key.with_name("gone")))
        for times in (1, 2):
            site.receiver.follow(replace(site.receiver._settings, listeners=(gone,)))
            eventually(lambda times=times: caplog.text.count("certificates_refused") == times)
        assert shown_by(site, made) == "renewed"


def test_a_broken_file_is_said_once(site, listening, made, files, eventually, caplog):
    """With its name, and that the old one is still in use."""
    listening()
    files.client_ca.write_text("rubbish")
    eventually(lambda: "certificates_refused" in caplog.text)
    connect(site, client(made, made.sender), b"line\n").close()
    time.sleep(2.5)
    site.stop()
    said = [record.facts for record in caplog.records if record.getMessage() == "certificates_refused"]
    assert len(said) == 1
    assert said[0]["reason"].startswith(str(files.client_ca))


def test_a_certificate_that_is_revoked_later_is_refused_from_then_on(site, listening, made, tmp_path, eventually):
    """A new list counts without a restart."""
    authority = Authority(tmp_path / "own")
    pair = authority.issue("/CN=hsm-9", "hsm-9")
    listening(client_ca=authority.certificate, revocation_list=authority.revocation_list())
    connect(site, client(made, pair), b"line\n").close()
    eventually(lambda: site.listener("tls")["spooled"] == 1)
    authority.revocation_list(pair)

    def refused():
        with suppress(OSError):
            connect(site, client(made, pair), b"line\n").close()
        return site.listener("tls")["connections"]["tls_failed"]

    eventually(refused)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files, made: files.key.unlink(), "server.key: cannot be read: No such file"),
        (lambda files, made: files.key.write_text("x"), "no certificate and key in PEM form"),
        (lambda files, made: shutil.copy(made.sender.key, files.key), "the key is not that of the certificate"),
        (lambda files, made: files.client_ca.write_text("x"), "ca.pem: holds nothing in PEM form"),
    ],
)
def test_files_that_cannot_be_used_are_one_sentence(settings, files, made, tmp_path, change, sentence):
    """With the listener's name; nothing is started."""
    change(files, made)
    receiver = Receiver(ReceiverSettings(tmp_path / "data", (settings("tls", tls=files),)))
    with pytest.raises(ReceiverError, match=r'^listener "tls": .*') as caught:
        receiver.start()
    assert sentence in str(caught.value)


def test_a_list_that_is_none_and_a_key_with_a_passphrase(settings, files, made, tmp_path):
    """Are said, not waited for at a prompt."""
    from support.certificates import openssl

    locked = tmp_path / "locked.key"
    openssl("ec", "-in", made.server.key, "-aes256", "-passout", "pass:secret", "-out", locked)
    for wrong, sentence in (
        (replace(files, revocation_list=made.server.certificate), "holds no revocation list"),
        (replace(files, key=locked), "has a passphrase"),
    ):
        with pytest.raises(ReceiverError, match=sentence):
            Receiver(ReceiverSettings(tmp_path / "data", (settings("tls", tls=wrong),))).start()


@pytest.mark.parametrize(
    ("subject", "written"),
    [
        ((("commonName", "hsm-1"),), "CN=hsm-1"),
        ((("organizationName", "a,CN=hsm-1"), ("commonName", "b")), r"O=a\2cCN\3dhsm-1,CN=b"),
        ((("organizationName", "x sha256:" + "a" * 64),), "O=x sha256\\3a" + "a" * 64),
        ((("commonName", "é\n\u202e"),), r"CN=é\0a\e2\80\ae"),
        ((), ""),
    ],
)
def test_a_subject_cannot_pretend(subject, written):
    """What would read as another attribute, or as a fingerprint, is escaped as RFC 4514 has it."""
    identity = identity_of({"subject": tuple((pair,) for pair in subject)}, b"x")
    assert identity.rpartition("sha256:")[0].rstrip() == written
    assert identity_of({}, None) == ""
