"""Our own SVG: bars, coverage strip, strike ladder. Classes for browsers, attributes for what reads no style sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.text import counted, number, spelt

if TYPE_CHECKING:
    from collections.abc import Iterable

BAR, HOT, QUIET, RULE, INK = "#1d5a8a", "#b3430f", "#56606b", "#c9d0d6", "#1a1f24"


@dataclass(frozen=True, slots=True)
class Panel:
    """Failed logins of one role, one number a day, the last day last; `ticks` are (day, word) below the axis."""

    name: str
    counts: tuple[int, ...]
    limit: int
    ticks: tuple[tuple[int, str], ...]

    def sentence(self) -> str:
        worst = max(self.counts, default=0)
        span = f"{spelt(self.name)}: {counted(sum(self.counts), 'failed login')} in {counted(len(self.counts), 'day')}"
        return f"{span}, at most {number(worst)} in one; the HSM acts at {self.limit} in a row"


@dataclass(frozen=True, slots=True)
class Strip:
    """When one device was heard; all positions are shares of the period between 0 and 1."""

    name: str
    begin: float
    gaps: tuple[tuple[float, float], ...]


def bars(panel: Panel, width: int = 340, height: int = 92) -> Markup:
    """One small multiple: a thin bar per day, a dashed line where the HSM would act."""
    left, right, top, bottom = 22, 4, 20, 16
    most = max(panel.limit, *panel.counts, 1)
    step = (width - left - right) / max(len(panel.counts), 1)
    base = height - bottom
    scale = (base - top) / most
    lockout = base - panel.limit * scale
    return _svg(
        width,
        height,
        panel.sentence(),
        [
            _text(0, 11, panel.name, "name", INK),
            _line(left, lockout, width - right, lockout, "limit", HOT, dash=True),
            _text(left - 4, lockout + 3, str(panel.limit), "tick-word", QUIET, "end"),
            _text(left - 4, base + 3, "0", "tick-word", QUIET, "end"),
            _line(left, base, width - right, base, "axis", RULE),
            *(
                _rect(
                    left + place * step, base - value * scale, step * 0.72, value * scale, *_shade(value, panel.limit)
                )
                for place, value in enumerate(panel.counts)
                if value
            ),
            *(_text(left + place * step, height - 4, word, "tick-word", QUIET) for place, word in panel.ticks),
        ],
    )


def _shade(value: int, limit: int) -> tuple[str, str]:
    return ("hot", HOT) if value >= limit - 1 else ("bar", BAR)


def coverage(strips: tuple[Strip, ...], days: tuple[tuple[float, str], ...], title: str, width: int = 700) -> Markup:
    """One strip per device over the period: heard is solid, a gap is a hole with an outline."""
    left, row = 120, 20
    span = width - left - 6
    height = len(strips) * row + 20
    body: list[Markup] = []
    for place, strip in enumerate(strips):
        y = place * row + 2
        body.append(_text(0, y + 10, _shortened(strip.name), "tick-word", QUIET))
        body += (
            _rect(left + begin * span, y, (end - begin) * span, 13, "bar", BAR)
            for begin, end in heard(strip.begin, strip.gaps)
        )
        body += (
            _rect(left + begin * span, y + 0.5, max((end - begin) * span, 1.5), 12, "gap", "none", HOT)
            for begin, end in strip.gaps
        )
    body += (_text(left + at * span, height - 4, word, "tick-word", QUIET) for at, word in days)
    return _svg(width, height, title, body)


def heard(begin: float, gaps: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stretches between `begin` and 1 that no gap covers; gaps are in order."""
    solid = []
    at = begin
    for first, last in gaps:
        if first > at:
            solid.append((at, first))
        at = max(at, last)
    return [*solid, (at, 1.0)] if at < 1 else solid


def ladder(strikes: int, limit: int) -> Markup:
    """Dots from the first wrong secret to the limit; filled as far as the longest streak went."""
    shown = min(limit, 20)
    dots = (_dot(6 + place * 11, filled=place < strikes, last=place >= shown - 2) for place in range(shown))
    return _svg(shown * 11 + 2, 12, f"{number(strikes)} of {number(limit)} strikes", dots, fixed=True)


def _dot(x: float, *, filled: bool, last: bool) -> Markup:
    kind, colour = ("hot", HOT) if last else ("bar", BAR)
    return Markup('<circle class="{}" cx="{}" cy="6" r="3.8" fill="{}" stroke="{}"/>').format(
        kind if filled else f"open {kind}-edge", _round(x), colour if filled else "none", colour
    )


def _svg(width: int, height: int, title: str, body: Iterable[Markup], *, fixed: bool = False) -> Markup:
    opening = Markup('<svg role="img" viewBox="0 0 {0} {1}" width="{0}" height="{1}"{2}><title>{3}</title>')
    mark = Markup(' class="fixed"') if fixed else Markup("")
    return opening.format(width, height, mark, spelt(title)) + Markup("").join(body) + Markup("</svg>")


def _rect(  # noqa: PLR0913, PLR0917
    x: float, y: float, width: float, height: float, kind: str, fill: str, stroke: str = ""
) -> Markup:
    edge = Markup(' stroke="{}"').format(stroke) if stroke else Markup("")
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill="{}"{}/>').format(
        kind, _round(x), _round(y), _round(width), _round(height), fill, edge
    )


def _line(  # noqa: PLR0913, PLR0917
    x1: float, y1: float, x2: float, y2: float, kind: str, stroke: str, *, dash: bool = False
) -> Markup:
    dashes = Markup(' stroke-dasharray="3 3"') if dash else Markup("")
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}"{}/>').format(
        kind, _round(x1), _round(y1), _round(x2), _round(y2), stroke, dashes
    )


def _text(x: float, y: float, words: str, kind: str, fill: str, anchor: str = "") -> Markup:  # noqa: PLR0913, PLR0917
    where = Markup(' text-anchor="{}"').format(anchor) if anchor else Markup("")
    return Markup('<text class="{}" x="{}" y="{}" fill="{}"{}>{}</text>').format(
        kind, _round(x), _round(y), fill, where, spelt(words)
    )


def _shortened(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _round(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
