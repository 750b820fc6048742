"""Incidents as tests/analytics/incidents.toml tells them, planted into the week; and what must be found of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from support.ordinary.changes import failed_handshake, so_login, wrong_so_password
from support.ordinary.site import JUMP_HOST, Window, moment
from support.ordinary.wire import Pen, Session

FILE = Path(__file__).parents[2] / "analytics" / "incidents.toml"


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding, as a person would name it."""

    detector: str
    subject: str
    severity: str


@dataclass(frozen=True)
class Incident:
    """`told` is its table in the file."""

    id: str
    at: datetime
    device: str
    told: dict

    @property
    def expects(self) -> list[Expected]:
        return [Expected(**one) for one in self.told["expects"]]

    @property
    def looked_at(self) -> list[datetime]:
        """When somebody looks at what is true just then, as the service does every few minutes."""
        return [self.at + timedelta(minutes=minutes) for minutes in self.told.get("looked_at", [])]

    @property
    def windows(self) -> list[Window]:
        return [
            Window(self.device, moment(one["from"]), moment(one["to"]), one["ticket"], one["kind"])
            for one in self.told.get("windows", [])
        ]

    def plant(self, pens: dict[str, Pen]) -> None:
        pen = pens[self.device]
        sessions: dict[tuple[str, str], Session] = {}
        for line in self.told.get("lines", []):
            for number in range(line.get("times", 1)):
                at = self.at + timedelta(seconds=line.get("after", 0) + number * line.get("apart", 1))
                _say(pen, at, line, sessions, number)
        for session in sessions.values():
            session.close()
        if "lost" in self.told:
            pen.lost.append((self.at, self.told["lost"]))
        for one in self.told.get("silent", []):
            begin, end = (self.at + timedelta(minutes=minutes) for minutes in one["minutes"])
            pens[one.get("device", self.device)].silent.append((begin, end))


def _say(pen: Pen, at: datetime, line: dict, sessions: dict, number: int) -> None:
    """One line of the file: a command of the shell, a record, a handshake, or whatever a program says."""
    if "shell" in line:
        who = (line.get("account", "opsadmin"), line.get("from", JUMP_HOST))
        session = sessions.get(who) or sessions.setdefault(who, Session(pen, at, *who))
        session.now = max(session.now, at)
        {"SO login": so_login, "wrong SO password": wrong_so_password}.get(
            line["shell"], lambda session: session.run(line["shell"], line.get("code", "0"), wait=(0.5, 1.5))
        )(session)
    elif "record" in line:
        pen.audit(at, line["record"].format(number=number))
    elif "handshake" in line:
        failed_handshake(pen, at, line["handshake"])
    else:
        pen.write(
            at,
            line["program"],
            line["text"].format(number=number),
            4000 + number,
            severity=line.get("severity", ""),
            peer=line.get("peer", ""),
        )


def incidents() -> list[Incident]:
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return [Incident(one["id"], moment(one["at"]), one["device"], one) for one in document["incident"]]
