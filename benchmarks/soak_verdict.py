"""What the samples of a soak say: each part of the verdict with the figures that it was drawn from."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = ("receiver", "service")


@dataclass(frozen=True, slots=True)
class Limits:
    """Growth from the middle third to the last that still counts as none; the longest pause between group
    commits; how late the sender may be.
    """

    memory_share: float = 0.05
    memory_mebibytes: float = 10.0
    delay_share: float = 0.25
    delay_seconds: float = 0.25
    pause_seconds: float = 0.5
    late_seconds: float = 5.0


def verdict(run: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """`good` is true when all parts are."""
    samples, minutes = run["samples"], run["minutes"]
    parts = {f"memory_of_{part}": memory(samples, part, limits) for part in PARTS}
    parts["lag"] = lag([one["delay"] for one in minutes], limits)
    parts["receiver"] = receiver(run, limits)
    parts["lines"] = complete(run, limits)
    return {"good": all(part["good"] for part in parts.values()), **parts}


def thirds(values: Sequence[float]) -> tuple[float, float]:
    """Medians of the middle third and of the last."""
    third = max(1, len(values) // 3)
    return statistics.median(values[-2 * third : -third] or values), statistics.median(values[-third:])


def slope(values: Sequence[float]) -> float:
    """Of a straight line through equally spaced values (least squares), per step."""
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope


def memory(samples: Sequence[dict[str, Any]], part: str, limits: Limits) -> dict[str, Any]:
    values = [one["memory"][part] for one in samples]
    middle, last = thirds(values)
    grown = last - middle
    return {
        "good": grown <= middle * limits.memory_share + limits.memory_mebibytes,
        "middle_third": round(middle, 1),
        "last_third": round(last, 1),
        "peak": max(values),
        "mebibytes_an_hour": round(3600 * slope(values[len(values) // 3 :]), 1),
    }


def lag(delays: Sequence[float], limits: Limits) -> dict[str, Any]:
    """Median seconds from spool to store, by minute."""
    middle, last = thirds(delays)
    good = last - middle <= middle * limits.delay_share + limits.delay_seconds
    return {
        "good": good,
        "middle_third": round(middle, 3),
        "last_third": round(last, 3),
        "worst": round(max(delays), 3),
    }


def receiver(run: dict[str, Any], limits: Limits) -> dict[str, Any]:
    longest = max(one["longest_pause"] or 0.0 for one in run["minutes"])
    return {
        "good": longest <= limits.pause_seconds and not run["kernel_dropped"],
        "longest_pause": round(longest, 3),
        "kernel_dropped": run["kernel_dropped"],
        "service_longest_delay": round(max(one["longest_delay"] for one in run["minutes"]), 3),
    }


def complete(run: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """All that was sent is stored, detectors ran, and the sender kept its pace: else it was another load."""
    sent, late = run["samples"][-1]["sent"], max(one["sender_late"] for one in run["samples"])
    good = run["stored"] == sent and not run["failed_runs"] and run["findings"] > 0 and late <= limits.late_seconds
    figures = {name: run[name] for name in ("stored", "failed_runs", "findings")}
    return {"good": good, "sent": sent, **figures, "sender_late": late}
