"""The serial number in the name of the file that an HSM's audit log is kept in: hsm_66331_00000002.log.

Older firmware does not write its serial into its records. The file's name stands before the caret of a record that came
by syslog, and at the end of the path of one that was imported.
"""

from __future__ import annotations

import re

_NAME = r"hsm_([0-9]{1,20})_[0-9A-Fa-f]{8}\.log"
BEFORE_CARET = rf"^ *{_NAME} *\^"
PATH = rf"(?:^|[/\\!]){_NAME}(?:\.gz)?(?:#[0-9]+)?$"
"""Of a file, packed or not, or of a member of an archive (`audit.tgz!ready_for_archive/hsm_66331_00000002.log`)."""

_BEFORE_CARET, _PATH = re.compile(BEFORE_CARET), re.compile(PATH.replace("$", r"\Z"))


def serial(message: str, path: str) -> str | None:
    """By the message's own prefix, else by where it was read; None when neither says."""
    found = _BEFORE_CARET.search(message) or _PATH.search(path)
    return found[1] if found else None
