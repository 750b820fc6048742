"""The loss curve as a picture: python benchmarks/plot_curve.py curve.jsonl [MORE.jsonl…] docs/udp-loss.svg

One line for each program and receive buffer: datagrams lost in percent (upwards) over the rate that was really sent
(to the right, logarithmic). Needs nothing but Python.
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 56, 150, 28, 44
FIRST_RATE, LAST_RATE = 2_000, 500_000
RATES = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 400_000)
COLOURS = ("#1d5a8a", "#b3430f", "#4d7a3a", "#7a4d8a")
INK, RULE = "#1a1f24", "#c9d0d6"
STEPS = (1, 2, 5, 10, 20, 50, 100)


def across(rate: float) -> float:
    share = math.log(rate / FIRST_RATE) / math.log(LAST_RATE / FIRST_RATE)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def upwards(percent: float, most: float) -> float:
    return round(HEIGHT - BOTTOM - percent / most * (HEIGHT - TOP - BOTTOM), 1)


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{RULE}"/>'


def axes(most: float) -> list[str]:
    floor, edge = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = [text(LEFT, 16, "datagrams lost, %"), text(edge, HEIGHT - 6, "datagrams sent a second", "end")]
    for percent in (0, most / 2, most):
        height = upwards(percent, most)
        marks += [rule(LEFT, height, edge, height), text(LEFT - 6, height + 4, f"{percent:g}", "end")]
    for rate in RATES:
        marks += [rule(across(rate), floor, across(rate), floor + 5)]
        marks += [text(across(rate), floor + 18, f"{rate:,}", "middle")]
    return marks


def series(runs: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Places of the points of each line, by its name, from left to right."""
    known: dict[str, list[tuple[float, float]]] = {}
    for one in runs:
        name = f"{one['who']}, {one['buffer']} buffer"
        known.setdefault(name, []).append((one["send_rate"], 100 * one["lost"] / one["sent"]))
    return {name: sorted(points) for name, points in known.items()}


def drawing(runs: list[dict[str, Any]]) -> str:
    lines = series(runs)
    worst = max(percent for points in lines.values() for _, percent in points)
    most = next(step for step in STEPS if worst <= step)
    marks = axes(most)
    for place, ((name, points), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        path = " ".join(f"{across(rate)},{upwards(percent, most)}" for rate, percent in points)
        marks.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for rate, percent in points:
            said = f"{name}: {percent:.2f} % of {rate:,} datagrams a second lost"
            spot = f'<circle cx="{across(rate)}" cy="{upwards(percent, most)}" r="3.5" fill="{colour}">'
            marks.append(f"{spot}<title>{escape(said)}</title></circle>")
        marks.append(text(WIDTH - RIGHT + 8, TOP + 12 + 18 * place, name, colour=colour))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="12">'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, "<title>UDP: datagrams lost by rate</title>", ground, *marks, "</svg>"]) + "\n"


def main() -> None:
    *sources, target = map(Path, sys.argv[1:])
    documents = [json.loads(line) for source in sources for line in source.read_text(encoding="utf-8").splitlines()]
    runs = [one for one in documents if "lost" in one]
    if not runs:
        raise SystemExit("usage: plot_curve.py CURVE.jsonl… PICTURE.svg, with at least one run of udp_curve.py")
    target.write_text(drawing(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
