"""Packs against their manifests: each file as it was written, and each manifest too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.render import sealed_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class PackVerdict:
    """A fault or a note about one file (its name in the folder of packs), and its size."""

    file: str
    size: int
    what: str
    is_fault: bool


def pack_verdicts(folder: Path) -> Iterator[PackVerdict]:
    """Of all packs in a folder, in the order of their names."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        yield from _of_manifest(folder, path)
    named = {path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")}
    for path in sorted(folder.glob("*.html")):
        if path.stem not in named:
            yield PackVerdict(path.name, path.stat().st_size, "no manifest names it", is_fault=True)


def _of_manifest(folder: Path, path: Path) -> Iterator[PackVerdict]:
    octets = path.read_bytes()
    made = _made(octets)
    if made is None:
        yield PackVerdict(path.name, len(octets), "the manifest is not as it was written", is_fault=True)
        return
    for name, said in made["files"].items():
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError:
            yield PackVerdict(name, 0, f"missing; {path.name} names it", is_fault=True)
            continue
        if hashlib.sha256(content).hexdigest() != said["sha256"]:
            yield PackVerdict(name, len(content), f"not the file that {path.name} has the digest of", is_fault=True)
    yield from _previous(folder, path, made["previous"])


def _made(octets: bytes) -> dict[str, Any] | None:
    """What the manifest says, if it is byte for byte what we write."""
    try:
        made: dict[str, Any] = json.loads(octets)
        del made["sha256"]
        return made if sealed_text(made).encode() == octets else None
    except (ValueError, KeyError, TypeError):
        return None


def _previous(folder: Path, path: Path, previous: dict[str, str] | None) -> Iterator[PackVerdict]:
    """A pack that was made again after the next one is no fault, but a reader should know."""
    before = folder / f"{previous['name']}.html" if previous else None
    if before is None or previous is None or not before.exists():
        return
    if hashlib.sha256(before.read_bytes()).hexdigest() != previous["sha256"]:
        what = f"{path.name} names another digest of it: it was made again since, or changed"
        yield PackVerdict(before.name, before.stat().st_size, what, is_fault=False)
