"""The whole week: who lives through what, numbered and in the order of sending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from generator import approved, incidents, life
from generator.appliances import APPLIANCES, MONDAY
from generator.recorder import Recorder
from generator.wire import audit_message, chained, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SEED = "hsmtrail sample week 1"


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as sent, and when."""

    at: datetime
    device: str
    raw: bytes


def lived() -> list[Recorder]:
    """Three appliances after their week."""
    ams_1, ams_2, fra_1 = (Recorder(appliance, SEED) for appliance in APPLIANCES)
    approved.firmware_update(fra_1)
    for recorder in (ams_1, ams_2, fra_1):
        approved.set_up(recorder)
    quiet = life.Quiet((approved.REBOOT, approved.REBOOT + approved.REBOOT_TAKES), incidents.SILENCE)
    for recorder in (ams_1, ams_2, fra_1):
        life.live(recorder, quiet if recorder is fra_1 else life.Quiet())
    for recorder in (ams_1, ams_2):
        life.weekly_backup(recorder)
    approved.new_client(ams_1)
    incidents.old_password(ams_1)
    incidents.night_change(ams_1)
    incidents.password_guessing(ams_1)
    incidents.feed_maintenance(ams_1)
    incidents.so_guess(ams_2)
    incidents.lose_records(ams_2)
    incidents.hostile_programs(ams_2)
    incidents.drifted_target(fra_1)
    incidents.refused_zeroize(fra_1)
    return [ams_1, ams_2, fra_1]


def sent_lines(recorder: Recorder) -> Iterator[Sent]:
    """One appliance's messages in order; audit records get their numbers and their chain here."""
    appliance = recorder.appliance
    sequence, previous = appliance.first_sequence, b""
    holes = sorted(recorder.missing_before)
    for event in sorted(recorder.events, key=lambda item: item.at):
        if event.record is None:
            yield Sent(event.at, appliance.name, render(event, appliance, event.text))
            continue
        while holes and event.at >= holes[0][0]:
            sequence += holes.pop(0)[1]
            previous = b"never arrived"
        message = audit_message(event.record, appliance, sequence, event.at, chained(previous))
        yield Sent(event.at, appliance.name, render(event, appliance, message))
        previous = message
        sequence += 1


def week() -> list[Sent]:
    """Every message of the week, in the order of sending."""
    lines = [line for recorder in lived() for line in sent_lines(recorder)]
    return sorted(lines, key=lambda line: line.at)


def milliseconds(at: datetime) -> int:
    """Since the week began."""
    return int((at - MONDAY).total_seconds() * 1000)
