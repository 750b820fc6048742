"""Headers of the RFCs and headers that are wrong, with what is read from each: tested, and shown in the reference."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class HeaderExample:
    """One line; `fields` as `hsmtrail parse` prints them."""

    kind: str
    what: str
    raw: bytes
    fields: dict[str, object]


def header_examples() -> list[HeaderExample]:
    """All of tables/headers.toml, in its order."""
    text = (files("parsers") / "tables" / "headers.toml").read_text(encoding="utf-8")
    return [
        HeaderExample(
            entry["kind"],
            entry["what"],
            bytes.fromhex(entry["bytes"]) if "bytes" in entry else entry["raw"].encode(),
            entry["fields"],
        )
        for entry in tomllib.loads(text)["header"]
    ]
