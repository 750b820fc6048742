"""Which records a Sigma log source means, and which column a field is. The table is `columns.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from analytics.manners import scratch

KINDS = {"VARCHAR": "text", "BOOLEAN": "flag", "UBIGINT": "number", "UINTEGER": "number"}
KINDS |= {"USMALLINT": "number", "UTINYINT": "number"}
ADDRESSES = frozenset({"source", "peer"})
PARTS = ("product", "service", "category")


@dataclass(frozen=True, slots=True)
class Column:
    """`expression` stands in SQL as it is; `kind` is text, number or flag."""

    name: str
    expression: str
    kind: str

    @property
    def is_address(self) -> bool:
        return self.name in ADDRESSES


@dataclass(frozen=True, slots=True)
class Source:
    """`records`: the condition over a record that the log source means."""

    product: str
    service: str
    records: str

    def column(self, field: str) -> Column | None:
        """None for a field that no column is."""
        name = _aliases().get(field)
        if name is None and self.product == "luna":
            if re.fullmatch(r"details\.[A-Za-z_]{1,40}", field):
                return Column("details", f"(details->>'{field.removeprefix('details.')}')", "text")
            name = field
        kind = _kinds().get(name or "", "")
        return Column(name, name, KINDS[kind]) if name and kind in KINDS else None

    @property
    def fields(self) -> list[str]:
        """What a rule may ask for."""
        own = [name for name, kind in _kinds().items() if kind in KINDS] if self.product == "luna" else []
        return sorted({*_aliases(), *own})


def source(logsource: dict[str, str]) -> Source | None:
    """Of the parts product, service, category; None when no lines of ours are meant. Others in it say nothing."""
    asked = [logsource.get(part) or "" for part in PARTS]
    return next((known for known in all_sources() if [known.product, known.service, ""] == asked), None)


def all_sources() -> list[Source]:
    return [Source(one["product"], one.get("service", ""), one["records"]) for one in _table()["sources"]]


def sources() -> list[str]:
    """As a reader is told them: `luna`, `luna/audit` …"""
    return [f"{known.product}/{known.service}".rstrip("/") for known in all_sources()]


def modifiers() -> frozenset[str]:
    """Those that have a form in SQL."""
    return frozenset(_table()["modifiers"])


def column_names() -> frozenset[str]:
    return frozenset(_kinds())


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("analytics.sigma") / "columns.toml").read_text(encoding="utf-8"))


def aliases() -> dict[str, list[str]]:
    """Of a column, what Sigma calls it."""
    return dict(_table()["fields"])


@cache
def _aliases() -> dict[str, str]:
    return {field: column for column, fields in aliases().items() for field in fields}


@cache
def _kinds() -> dict[str, str]:
    return {name: kind for name, kind, *_ in scratch().cursor().execute("DESCRIBE events").fetchall()}
