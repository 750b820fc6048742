"""The key behind the MACs: made once, its owner's alone; several keys check, the last one makes."""

import hashlib
import hmac
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.spool import SpoolError, SpoolReader, SpoolSettings, SpoolWriter, batches_of, segment_path
from ingest.spool_key import KeyTrouble, make_keys, read_keys
from support.spooled import Receiver

WORDS = {"sha256": "ab" * 32, "committed_at": "2026-11-23T08:15:01.000000Z", "counters": '{"udp":{}}'}


def test_it_is_made_once_for_its_owner(tmp_path):
    """Whoever comes at the same moment gets the same one."""
    path = tmp_path / "spool.key"
    with ThreadPoolExecutor(8) as many:
        found = list(many.map(lambda _: make_keys(path), range(32)))
    assert len({keys.newest for keys in found}) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["spool.key"]


def test_the_mac_is_what_the_page_says(tmp_path):
    """HMAC-SHA256 over digest, moment and counters; anything changed is seen."""
    keys = make_keys(tmp_path / "spool.key")
    key = bytes.fromhex((tmp_path / "spool.key").read_text())
    name, _, mac = keys.mac(WORDS).partition(":")
    said = "\n".join(["hsmtrail mac 1", *WORDS.values()]).encode()
    assert (name, mac) == (keys.newest, hmac.new(key, said, hashlib.sha256).hexdigest())
    assert keys.trouble({**WORDS, "mac": keys.mac(WORDS)}) == ""
    for word, value in WORDS.items():
        assert "is wrong" in keys.trouble({**WORDS, word: value + " ", "mac": keys.mac(WORDS)})
    assert "no MAC" in keys.trouble(WORDS)


def test_a_new_line_is_a_new_key(tmp_path):
    """What older ones made is right still."""
    path = tmp_path / "spool.key"
    old = make_keys(path)
    path.write_text(path.read_text() + "ab" * 32 + "\n")
    new = read_keys(path)
    assert new.newest != old.newest
    assert new.trouble({**WORDS, "mac": old.mac(WORDS)}) == ""
    assert "does not have" in old.trouble({**WORDS, "mac": new.mac(WORDS)})


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("ab" * 32, 0o640, "chmod 600"),
        ("ab" * 32, 0o604, "chmod 600"),
        ("", 0o600, "put back your copy"),
        ("ab" * 31, 0o600, "put back your copy"),
        ("ab" * 32 + "\nxyz", 0o600, "put back your copy"),
    ],
)
def test_a_key_that_is_none_starts_nothing(tmp_path, text, mode, words):
    """One sentence, and the file is left as it is."""
    path = tmp_path / "spool.key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(KeyTrouble, match=words):
        read_keys(path)
    with pytest.raises(SpoolError, match=words):
        SpoolWriter.open(tmp_path / "spool" / "main", 1, SpoolSettings(key_file=path))
    assert path.read_text() == text
    SpoolWriter.open(tmp_path / "spool" / "main", 1).close()  # the lock was let go


def test_a_key_that_was_lost_is_made_anew_and_said(tmp_path, caplog):
    """Lines are worth more: they are received, each with a MAC of the new key."""
    first = Receiver(tmp_path)
    first.commit(b"one")
    first.close()
    assert "key_made_anew" not in caplog.text
    (tmp_path / "spool.key").unlink()
    second = Receiver(tmp_path)
    second.commit(b"two")
    second.close()
    assert "key_made_anew" in caplog.text
    macs = [batch.metadata["mac"].partition(":")[0] for batch in batches_of(segment_path(second.folder, 1))]
    assert len(set(macs)) == 2
    assert len(SpoolReader(second.folder).next_batches()) == 2
