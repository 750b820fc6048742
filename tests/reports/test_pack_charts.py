"""Charts: our own SVG with a title in words, classes and attributes."""

from xml.etree import ElementTree as ET

import pytest

from reports.charts import Panel, Strip, bars, coverage, heard, ladder

TICKS = ((0, "28 Sep"), (2, "30 Sep"))


def drawn(markup):
    return ET.fromstring(str(markup))


def of_class(svg, name):
    return [part for part in svg.iter() if name in part.get("class", "").split()]


def test_bars_show_each_day_that_had_a_failure():
    """A bar for each day with failures, hot from one below the lockout, and a dashed line at it."""
    svg = drawn(bars(Panel("HSM SO", (0, 1, 2, 0, 3), 3, TICKS)))
    assert [len(of_class(svg, kind)) for kind in ("bar", "hot", "limit", "axis")] == [1, 2, 1, 1]
    assert svg.get("role") == "img"
    assert svg[0].text == "HSM SO: six failed logins in five days, at most 3 in one; the HSM acts at 3 in a row"


def test_bars_stay_inside_the_panel():
    """The scale grows with the worst day, so that nothing is drawn above the panel."""
    svg = drawn(bars(Panel("Crypto Officer", (4000,), 10, ())))
    assert all(float(bar.get("y")) >= 0 for bar in of_class(svg, "hot"))


def test_bars_without_a_day():
    """A panel of nothing is an empty frame, not an error."""
    assert of_class(drawn(bars(Panel("Auditor", (), 3, ()))), "bar") == []


@pytest.mark.parametrize("markup", [bars(Panel("<script>\u202e", (1,), 3, TICKS)), ladder(1, 3)])
def test_hostile_names_are_inert(markup):
    """A name is text, whatever it holds."""
    assert "<script" not in markup
    assert "\u202e" not in markup


@pytest.mark.parametrize(
    ("begin", "gaps", "solid"),
    [
        (0.0, (), [(0.0, 1.0)]),
        (0.0, ((0.25, 0.5),), [(0.0, 0.25), (0.5, 1.0)]),
        (0.0, ((0.0, 1.0),), []),
        (0.5, ((0.5, 0.75),), [(0.75, 1.0)]),
        (1.0, (), []),
    ],
)
def test_heard(begin, gaps, solid):
    """Heard is what no gap covers, from when the device was expected."""
    assert heard(begin, gaps) == solid


def test_coverage_has_a_strip_for_each_device():
    """Heard is a bar, a gap is a hole with an outline, also a very short one."""
    strips = (Strip("hsm-ams-1", 0.0, ()), Strip("a very long name of a device", 0.0, ((0.5, 0.5001),)))
    svg = drawn(coverage(strips, ((0.0, "Mon 16"),), "Every HSM reported"))
    assert [len(of_class(svg, kind)) for kind in ("bar", "gap")] == [3, 1]
    assert float(of_class(svg, "gap")[0].get("width")) >= 1.5
    assert of_class(svg, "tick-word")[1].text == "a very long name …"


@pytest.mark.parametrize(("strikes", "limit", "filled"), [(0, 3, 0), (2, 3, 2), (3, 3, 3), (12, 10, 10), (1, 500, 1)])
def test_ladder(strikes, limit, filled):
    """Dots from the first wrong secret to the limit, filled as far as the streak went."""
    svg = drawn(ladder(strikes, limit))
    dots = [part for part in svg.iter() if part.tag.endswith("circle")]
    assert len(dots) == min(limit, 20)
    assert sum(dot.get("fill") != "none" for dot in dots) == filled
    assert svg[0].text == f"{strikes} of {limit} strikes"
