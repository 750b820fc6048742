"""A pack as one HTML file without script or address, as JSON, and its manifest; written all or nothing."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports import charts, text
from reports.sections import privileged

if TYPE_CHECKING:
    from reports.pack import Pack
    from reports.period import Period


@dataclass(frozen=True, slots=True)
class PackFiles:
    """Where a written pack lies; `sha256` is of the HTML, what a reviewer signs."""

    html: Path
    json: Path
    manifest: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Previous:
    """The pack of the period before, as its manifest names it; '' when there is none."""

    name: str = ""
    sha256: str = ""


NO_PREVIOUS = Previous()


def render(pack: Pack, previous: Previous = NO_PREVIOUS) -> str:
    """The pack as HTML; the same pack gives the same text."""
    template = _environment().get_template("pack.html.j2")
    return template.render(
        pack=pack,
        previous=previous,
        style=text.own_style(style()),
        policy=policy(),
        strip=charts.coverage(strips(pack), days(pack.period), pack.quality.answer),
    )


def style() -> str:
    return (files("reports") / "templates" / "pack.css").read_text(encoding="utf-8")


def policy() -> str:
    """Nothing may load or run; the one style sheet is known by its hash."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    words = (text.number, text.moment, text.minute, text.second, text.iso, text.duration, text.percent, text.short)
    environment.filters |= {function.__name__: function for function in words}
    environment.filters |= {"line_number": text.line_number, "role_name": text.role_name, "visible": text.visible}
    environment.filters |= {
        "kept": text.kept,
        "runbook": text.runbook,
        "clipped": text.clipped,
        "sentence": text.sentence,
    }
    environment.globals |= {
        "bars": charts.bars,
        "ladder": charts.ladder,
        "counted": text.counted,
        "listed": text.listed,
        "target": privileged.target,
        "cell_text": privileged.cell_text,
    }
    return environment


def _shown(value: object) -> object:
    """Every text that a template prints goes through here: none can be forgotten."""
    return text.visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def strips(pack: Pack) -> tuple[charts.Strip, ...]:
    """The coverage of each device as shares of the period."""
    whole = (pack.period.end - pack.period.begin).total_seconds()

    def share(moment: datetime) -> float:
        return (moment - pack.period.begin).total_seconds() / whole

    return tuple(
        charts.Strip(
            source.device,
            share(source.expected_from),
            tuple((share(gap.began), share(gap.ended)) for gap in pack.quality.gaps if gap.device == source.device),
        )
        for source in pack.quality.sources
    )


def days(period: Period) -> tuple[tuple[float, str], ...]:
    """Where days begin below the strip; at most eight of them are named."""
    number = max(round(period.hours / 24), 1)
    step = -(-number // 8)
    middle = timedelta(hours=12)
    starts = [(place / number, period.begin + timedelta(days=place) + middle) for place in range(0, number, step)]
    return tuple((share, f"{text.WEEKDAYS[at.weekday()]} {at.day}") for share, at in starts)


def as_json(pack: Pack) -> str:
    """The same data for programs: fields as in the dataclasses, times in UTC, questions left to the manifest."""
    data = _plain(dataclasses.asdict(dataclasses.replace(pack, asked=())))
    del data["asked"]
    data["period"] |= {"name": pack.period.name, "title": pack.period.title}
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401  (whatever a pack holds)
    if isinstance(value, datetime):
        return text.iso(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def write_pack(pack: Pack, folder: Path) -> PackFiles:
    """Three files in `folder`, named by the period alone, readable by their owner alone; the manifest last."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = pack.period.name
    previous = previous_pack(folder, pack.period)
    html, data = render(pack, previous).encode(), as_json(pack).encode()
    made = PackFiles(
        html=folder / f"{name}.html",
        json=folder / f"{name}.json",
        manifest=folder / f"{name}.manifest.json",
        sha256=hashlib.sha256(html).hexdigest(),
    )
    _write(made.html, html)
    _write(made.json, data)
    contents = {made.html.name: html, made.json.name: data}
    _write(made.manifest, manifest(pack, previous, contents).encode())
    return made


def previous_pack(folder: Path, period: Period) -> Previous:
    """The digest that the manifest of the period before gives for its HTML."""
    name = period.previous().name
    try:
        known = json.loads((folder / f"{name}.manifest.json").read_text(encoding="utf-8"))
        return Previous(name, str(known["files"][f"{name}.html"]["sha256"]))
    except (OSError, ValueError, LookupError, TypeError):
        return Previous()


def manifest(pack: Pack, previous: Previous, contents: dict[str, bytes]) -> str:
    """What an auditor needs to make the pack again and to see that it is the same."""
    source = pack.provenance
    made = {
        "pack": pack.period.name,
        "period": {"begin": text.iso(pack.period.begin), "end": text.iso(pack.period.end), "zone": pack.period.zone},
        "hsmtrail": source.hsmtrail_version,
        "patterns": {"set": source.patterns_version, "used": [row.version for row in source.patterns]},
        "detectors": [note.version for note in source.detectors],
        "chain": [dataclasses.asdict(head) for head in source.chain],
        "evidence": [dataclasses.asdict(head) for head in source.heads],
        "previous": dataclasses.asdict(previous) if previous.name else None,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
        "queries": [dataclasses.asdict(asked) for asked in pack.asked],
    }
    return sealed_text(_plain(made))


def sealed_text(made: dict[str, Any]) -> str:
    """The manifest as it is written, its own digest last: `hsmtrail verify` makes it again."""
    digest = hashlib.sha256(json.dumps(made, ensure_ascii=False).encode()).hexdigest()
    return json.dumps({**made, "sha256": digest}, ensure_ascii=False, indent=1) + "\n"


def _write(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never half of one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".pack-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)  # mkstemp has made it readable by its owner alone
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
