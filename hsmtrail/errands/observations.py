"""Console output as observations: bring, list, withdraw."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from analytics import observations
from hsmtrail.console_files import LARGEST, text_of
from hsmtrail.errands import Errand, Role
from hsmtrail.failures import Misuse
from hsmtrail.formats import instant
from hsmtrail.moments import moment
from parsers.console import Reading, read
from parsers.console_forms import forms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hsmtrail.config import Device
    from hsmtrail.desk import Desk


class BroughtFile(BaseModel):
    """A file's name and its bytes, as base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=255)
    content: Annotated[Base64Bytes, Field(max_length=LARGEST)]


class ObserveConsole(Errand):
    """Files of console output show what stood in a device at a moment: all of them are kept, or none."""

    role: ClassVar[Role] = "analyst"
    device: str
    at: str
    partition: str = Field(default="", max_length=128)
    files: list[BroughtFile] = Field(min_length=1, max_length=100)

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        mistakes: list[str] = []
        at = _taken_at(self.at, desk.now(), mistakes)
        devices = desk.configuration.device
        if self.device not in {device.name for device in devices}:
            mistakes.append(f"no such device in the configuration: {self.device}")
        readings = [self._reading(file, devices, mistakes) for file in self.files]
        mistakes += _contradictions([(file.name, one) for file, one in zip(self.files, readings, strict=True)])
        if mistakes:
            raise Misuse("\n".join(mistakes))
        with desk.db.transaction() as cursor:
            brought = [self._brought(file, at, one) for file, one in zip(self.files, readings, strict=True)]
            kept = [observations.observe(cursor, one, by=desk.user, now=desk.now()) for one in brought]
        desk.wake()
        return [_result(one, *done) for one, done in zip(brought, kept, strict=True)]

    def _reading(self, file: BroughtFile, devices: list[Device], mistakes: list[str]) -> Reading:
        """What is wrong with the file is added to `mistakes`."""
        try:
            reading = read(text_of(file.content), forms(), self.partition)
        except ValueError as error:
            mistakes.append(f"{file.name}: {error}")
            return Reading()
        found = [*_strangers(reading, self.device, devices), *((one.line, one.text) for one in reading.conflicts)]
        mistakes += [f"{file.name}: line {line}: {what}" for line, what in sorted(found)]
        if not reading.shown and not reading.lists:
            why = "; ".join(f"line {one.line}: {one.why}" for one in reading.left_out[:5]) or "it is empty"
            mistakes.append(f"{file.name}: shows no setting of any known command: {why}")
        return reading

    def _brought(self, file: BroughtFile, at: datetime, reading: Reading) -> observations.ConsoleFile:
        digest = hashlib.sha256(file.content).hexdigest()
        return observations.ConsoleFile(self.device, self.partition, at, file.name, digest, len(file.content), reading)


class ListObservations(Errand):
    """Files that were brought, the newest moment first."""

    devices: list[str] = Field(default=[])

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        with desk.db.reader() as cursor:
            listed = observations.list_observations(cursor)
        return [_row(one) for one in listed if not self.devices or one.device in self.devices]


class WithdrawObservation(Errand):
    """A file was of another device or moment: it counts for nothing any more."""

    role: ClassVar[Role] = "analyst"
    id: int = Field(ge=1, lt=1 << 63)
    reason: str = Field(min_length=1, max_length=2000)

    def answer(self, desk: Desk) -> dict[str, Any]:
        try:
            with desk.db.transaction() as cursor:
                observations.withdraw(cursor, self.id, reason=self.reason, by=desk.user, now=desk.now())
        except LookupError as error:
            raise Misuse(f"{error}: `hsmtrail baseline observations` lists them") from None
        desk.wake()
        return {"withdrawn": self.id}


def _taken_at(text: str, now: datetime, mistakes: list[str]) -> datetime:
    try:
        at = moment(text)
    except Misuse as error:
        mistakes.append(str(error))
        return now
    if at > now:
        mistakes.append(f"{text} is still to come: --at is when the output was taken, in UTC")
    return at


def _strangers(reading: Reading, name: str, devices: list[Device]) -> Iterator[tuple[int, str]]:
    """Lines that speak of another device: by the HSM's serial number, or by the name in the prompt."""
    own = {serial for device in devices if device.name == name for serial in device.serials}
    others = {serial: device.name for device in devices if device.name != name for serial in device.serials}
    for said in reading.serials:
        if said.text in others or (own and said.text not in own):
            belongs = f"is that of {others[said.text]}" if said.text in others else f"is none of {name}'s"
            yield said.line, f"serial number {said.text} {belongs}"
    hosts = {host.lower(): device.name for device in devices for host in (device.name, *device.hosts)}
    for said in reading.hosts:
        if (other := hosts.get(said.text.lower(), name)) != name:
            yield said.line, f"the prompt is that of {other}, not of {name}"


def _contradictions(readings: list[tuple[str, Reading]]) -> Iterator[str]:
    """Files of one command are of one moment."""
    known: dict[tuple[str, str], tuple[str, str]] = {}
    for name, reading in readings:
        for one in reading.shown:
            first, value = known.setdefault((one.setting, one.partition), (name, one.value))
            if value != one.value:
                yield f"{name}: line {one.line}: {one.setting} is {one.value!r}, in {first} it is {value!r}"


def _result(brought: observations.ConsoleFile, number: int, outcome: observations.Outcome) -> dict[str, Any]:
    return {
        "id": number,
        "file": brought.name,
        "sha256": brought.sha256,
        "device": brought.device,
        "at": instant(brought.observed_at),
        "outcome": outcome,
        "settings": len(brought.reading.shown),
        "left_out": [{"line": one.line, "text": one.text, "why": one.why} for one in brought.reading.left_out],
    }


def _row(one: observations.Observation) -> dict[str, Any]:
    row = {
        "id": one.id,
        "device": one.device,
        "partition": one.partition,
        "at": instant(one.observed_at),
        "file": one.file,
        "sha256": one.sha256,
        "settings": one.settings,
        "left_out": one.left_out,
        "imported_at": instant(one.imported_at),
        "imported_by": one.imported_by,
        "withdrawn_at": instant(one.withdrawn_at) if one.withdrawn_at else None,
        "withdrawn_by": one.withdrawn_by,
        "withdrawn_reason": one.withdrawn_reason,
    }
    return {key: value for key, value in row.items() if value is not None and value != ""}
