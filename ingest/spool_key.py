"""The key behind the MACs of batches: whoever does not have it cannot make a chain that passes for ours.

One key a line, 64 hexadecimal digits; the last line makes new MACs, all of them check old ones.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "spool.key"
LINE = re.compile(r"[0-9a-f]{64}")


class KeyTrouble(Exception):  # noqa: N818  (a sentence)
    """The key cannot be had: which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Each key by its id; `newest` makes MACs."""

    by_id: Mapping[str, bytes]
    newest: str

    def mac(self, words: Mapping[str, str]) -> str:
        """'ID:' and the HMAC-SHA256 of one batch's digest, moment and counters."""
        return f"{self.newest}:{_hmac(self.by_id[self.newest], words)}"

    def trouble(self, words: Mapping[str, str]) -> str:
        """Why the MAC that a batch carries does not prove it; '' when it does."""
        name, _, said = words.get("mac", "").partition(":")
        if not said:
            return "it carries no MAC"
        if name not in self.by_id:
            return f"its MAC was made with the key {name[:16]!r}, which the key file does not have"
        right = hmac.compare_digest(said.encode(), _hmac(self.by_id[name], words).encode())
        return "" if right else "its MAC is wrong: this batch was not written by our receiver"


def _hmac(key: bytes, words: Mapping[str, str]) -> str:
    said = "\n".join(("hsmtrail mac 1", words["sha256"], words["committed_at"], words["counters"]))
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()


def read_keys(path: Path) -> Keys:
    """KeyTrouble when it is not there, not readable, not private, or no key."""
    try:
        with path.open("rb") as file:
            private = not os.fstat(file.fileno()).st_mode & 0o077
            lines = file.read(1 << 16).decode("ascii", "replace").split()
    except OSError as error:
        raise KeyTrouble(f"{path}: the key of the spool cannot be read ({error.strerror})") from None
    if not private:
        raise KeyTrouble(f"{path}: others than its owner may read the key of the spool; chmod 600 it")
    if not lines or not all(map(LINE.fullmatch, lines)):
        raise KeyTrouble(f"{path}: wants one key a line, 64 hexadecimal digits each; put back your copy of it")
    keys = [bytes.fromhex(line) for line in lines]
    return Keys({_id(key): key for key in keys}, _id(keys[-1]))


def make_keys(path: Path) -> Keys:
    """Those that are there; a new one at the first start."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        try:
            _write(fresh, secrets.token_hex(32))
            os.link(fresh, path)  # whole or not at all, and never over another one
        except FileExistsError:
            pass  # another process of ours was first
        except OSError as error:
            raise KeyTrouble(f"{path}: the key of the spool cannot be made ({error.strerror})") from None
        finally:
            fresh.unlink(missing_ok=True)
    return read_keys(path)


def _write(path: Path, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)


def _id(key: bytes) -> str:
    """Tells keys apart and says nothing of them."""
    return hashlib.sha256(b"hsmtrail key 1\n" + key).hexdigest()[:16]
