"""Which version of each detector somebody approved: `detectors.lock` beside the configuration, so that a changed query
shows. Nothing stops for it: what differs is told by `detectors list`, `check` and the review pack.
"""

from __future__ import annotations

import getpass
import json
import re
import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hsmtrail.failures import Failure, Misuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from analytics.detector import Detector
    from hsmtrail.config import Configuration

NAME, BROKEN = "detectors.lock", "not known, since detectors.lock is broken"
HEAD = """# Which version of each detector was approved, by whom and why: `hsmtrail detectors approve` writes this file.
# Keep it under version control, and let people approve who do not write detectors.
"""


@dataclass(frozen=True, slots=True)
class Approval:
    """`sha256` is of the detector's file; `approved_at` is UTC, to the second."""

    sha256: str
    approved_at: str
    approved_by: str
    reason: str


def lock_path(configuration: Configuration) -> Path:
    return configuration.path.resolve().parent / NAME


def read_lock(path: Path) -> dict[str, Approval] | None:
    """By detector; None when there is no such file, and so nobody asked for it. Misuse for a broken one."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return {identifier: _approval(given) for identifier, given in document.items()}
    except FileNotFoundError:
        return None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        raise Misuse(f"{path}:{place[1] if place else 1}: is not TOML: {error}") from None
    except (OSError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise Misuse(f"{path}: wants a table with {', '.join(Approval.__slots__)} for each detector: {error}") from None


def _approval(given: dict[str, object]) -> Approval:
    return Approval(**{name: str(value) for name, value in given.items()})


def standing(approvals: Mapping[str, Approval] | None, detectors: Iterable[Detector]) -> dict[str, str]:
    """Of each detector: approved, changed, not approved; and gone for one that was approved and is no more. Nothing
    without a lock.
    """
    if approvals is None:
        return {}
    here = {detector.id: detector.sha256 for detector in detectors}
    gone = dict.fromkeys(sorted(approvals.keys() - here.keys()), "gone")
    return {identifier: _stands(approvals.get(identifier), sha256) for identifier, sha256 in here.items()} | gone


def standing_here(configuration: Configuration, detectors: Sequence[Detector]) -> dict[str, str]:
    """The same by this site's lock; one that is broken keeps no pack from being made, and proves nothing."""
    try:
        return standing(read_lock(lock_path(configuration)), detectors)
    except Misuse:
        return dict.fromkeys((detector.id for detector in detectors), BROKEN)


def _stands(approval: Approval | None, sha256: str) -> str:
    if approval is None:
        return "not approved"
    return "approved" if approval.sha256 == sha256 else "changed"


def differences(configuration: Configuration | None, detectors: Sequence[Detector]) -> list[str]:
    """A sentence for each detector that is not as it was approved."""
    approvals = read_lock(lock_path(configuration)) if configuration else None
    names = {detector.id: f"{detector.id} ({detector.path.name})" for detector in detectors}
    return [
        _sentence(names.get(identifier, identifier), state, (approvals or {}).get(identifier))
        for identifier, state in standing(approvals, detectors).items()
        if state != "approved"
    ]


def _sentence(name: str, state: str, approval: Approval | None) -> str:
    if approval is None:
        return f"{NAME}: {name} was approved by nobody"
    when = f"was approved by {approval.approved_by} on {approval.approved_at[:10]}"
    return f"{NAME}: {name} {when}, and {'is no longer here' if state == 'gone' else 'has changed since'}"


def approve(
    configuration: Configuration, detectors: Sequence[Detector], wanted: Sequence[str], reason: str
) -> list[str]:
    """Write down the versions of these detectors, or of all; what is gone is left out. The ids that it changed."""
    path = lock_path(configuration)
    before = read_lock(path) or {}
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    chosen = [one for one in detectors if not wanted or one.id in wanted]
    new = {
        one.id: Approval(one.sha256, now, getpass.getuser(), reason)
        for one in chosen
        if one.id not in before or before[one.id].sha256 != one.sha256
    }
    here = {one.id for one in detectors}
    kept = {identifier: approval for identifier, approval in before.items() if identifier in here or wanted}
    _write(path, kept | new)
    return sorted(new)


def _write(path: Path, approvals: Mapping[str, Approval]) -> None:
    """Whole or not at all."""
    tables = [
        "\n".join([f"\n[{identifier}]", *(f"{name} = {_toml(value)}" for name, value in asdict(approval).items())])
        for identifier, approval in sorted(approvals.items())
    ]
    beside = path.with_suffix(".new")
    try:
        beside.write_text(HEAD + "\n".join(tables) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise Failure(f"{path}: cannot be written: {error.strerror}") from None


def _toml(text: str) -> str:
    """JSON's strings are TOML's, but for the one character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
