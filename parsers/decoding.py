"""Bytes to text: what is not UTF-8 is shown, never dropped."""

from __future__ import annotations

import codecs


def _shown(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"\\x{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("hsmtrail.shown", _shown)


def text_of(raw: bytes) -> str:
    r"""NUL and bytes that are not UTF-8 become `\xNN`; every other character stands."""
    return raw.decode("utf-8", "hsmtrail.shown").replace("\0", "\\x00")


def unframed(raw: bytes) -> bytes:
    """Without the one CR, LF or NUL at the end, which is framing."""
    return raw[:-1] if raw[-1:] in (b"\r", b"\n", b"\0") else raw
