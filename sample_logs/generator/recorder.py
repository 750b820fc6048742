"""What one appliance writes, message by message: the words of its components."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from generator.appliances import MONDAY
from generator.wire import Event, Record

if TYPE_CHECKING:
    from generator.appliances import Appliance, Application

PIN_INCORRECT = ("LUNA_RET_UM_PIN_INCORRECT", 0x00A00000)


def moment(day: int, clock: str) -> datetime:
    """Day 0 is Monday; clock is HH:MM or HH:MM:SS."""
    hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3]
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes, seconds=seconds)


class Recorder:
    """Collects the events of one appliance; its random numbers are its own."""

    def __init__(self, appliance: Appliance, seed: str) -> None:
        self.appliance = appliance
        self.random = random.Random(f"{seed} {appliance.name}")
        self.events: list[Event] = []
        self.missing_before: list[tuple[datetime, int]] = []
        self.restarted_at: datetime | None = None
        self.upgraded_at = MONDAY + timedelta(days=7 if appliance.old_firmware else -1)

    def pause(self, shortest: float, longest: float) -> timedelta:
        return timedelta(microseconds=self.random.randrange(int(shortest * 1e6), int(longest * 1e6)))

    def new_pid(self, at: datetime) -> int:
        """Process ids rise with time, and start again with the appliance."""
        since = at - (self.restarted_at if self.restarted_at and at > self.restarted_at else MONDAY - timedelta(days=2))
        return 1900 + int(since.total_seconds()) // 26 + self.random.randrange(3)

    def ntls_pid(self, at: datetime) -> int:
        return 2044 if self.restarted_at and at > self.restarted_at else self.appliance.ntls_pid

    def lunash(self, at: datetime, pid: int, text: str, severity: str = "info") -> None:
        self.events.append(Event(at, "lunash", pid, "local5", severity, text.encode()))

    def ntls(self, at: datetime, text: str) -> None:
        self.events.append(Event(at, "NTLS", self.ntls_pid(at), "local5", "info", text.encode()))

    def sshd(self, at: datetime, pid: int, text: str | bytes) -> None:
        said = text if isinstance(text, bytes) else text.encode()
        self.events.append(Event(at, "sshd", pid, "authpriv", "info", said))

    def system(self, at: datetime, program: str, text: str | bytes, *, facility: str, pid: int | None = None) -> None:
        """Lines of file `messages`; hsm-ams-1 sends them in the appliance's local form."""
        severity = "notice" if facility == "local4" else "info"
        said = text if isinstance(text, bytes) else text.encode()
        local = self.appliance.form == "rfc3164"
        self.events.append(Event(at, program, pid, facility, severity, said, local_form=local))

    def audit(self, at: datetime, event: str, session: int, **rest: object) -> None:
        """An audit record; old firmware (before 7.7.0) prints no role, and its appliance sends no proof."""
        new = at >= self.upgraded_at
        minor = self.ntls_pid(at) if rest.get("container") is not None else self.appliance.ntls_pid - 61
        facts = {"access_minor": minor, **rest, "proven": new}
        if not new:
            facts["role"] = None
        record = Record(event, session, **facts)  # type: ignore[arg-type]
        self.events.append(Event(at, "cbs", self.appliance.ntls_pid - 61, "local3", "info", record=record))

    def so_login(self, at: datetime, *, good: bool = True) -> None:
        """The Security Officer on the admin partition."""
        result, code = ("RC_OK", 0) if good else PIN_INCORRECT
        self.audit(
            at, "LUNA_LOGIN", 1, result=result, code=code, actor="SO container", role=1, entry="LUNA_ENTRY_DATA_AREA"
        )

    def so_act(self, at: datetime, event: str) -> None:
        self.audit(at, event, 1, actor="SO container")

    def auditor_act(self, at: datetime, event: str) -> None:
        self.audit(at, event, 2, role=8)

    def connect(self, at: datetime, application: Application) -> tuple[datetime, str, int]:
        """An NTLS connection with an open session: when it is ready, its source, its session number."""
        source = f"{application.address}/{40000 + self.random.randrange(20000)}"
        session = 3 + self.random.randrange(60)
        self.ntls(at, f"info : 0 : Incoming connection request... : {source}")
        at += self.pause(0.05, 0.4)
        self.ntls(at, f'info : 0 : NTLS Client "{application.name}" connected and authenticated : {source}')
        at += self.pause(0.05, 0.5)
        self.audit(at, "LUNA_OPEN_SESSION", session, container=application.container)
        return at, source, session

    def role_login(self, at: datetime, application: Application, session: int, *, good: bool = True) -> None:
        result, code = ("RC_OK", 0) if good else PIN_INCORRECT
        self.audit(
            at,
            "LUNA_LOGIN",
            session,
            result=result,
            code=code,
            container=application.container,
            role=application.role,
            entry="LUNA_ENTRY_DATA_AREA",
        )

    def disconnect(self, at: datetime, application: Application, source: str, session: int) -> None:
        self.audit(at, "LUNA_CLOSE_SESSION", session, container=application.container)
        at += self.pause(0.05, 0.4)
        self.ntls(at, f'info : 0 : NTLS Client "{application.name}" Connection instance removed : {source}')


class Shell:
    """A lunash session over SSH: it has a clock of its own that each command moves on."""

    def __init__(self, recorder: Recorder, at: datetime, account: str, address: str, how: str = "publickey") -> None:
        self.recorder, self.account, self.address = recorder, account, address
        port = 49152 + recorder.random.randrange(16000)
        self.source = f"{address}/{port}"
        self.sshd_pid = recorder.new_pid(at)
        self.pid = self.sshd_pid + 2
        recorder.sshd(at, self.sshd_pid, f"Accepted {how} for {account} from {address} port {port} ssh2")
        at += recorder.pause(0.02, 0.1)
        self._pam(at, f"session opened for user {account} by (uid=0)")
        self.now = at + recorder.pause(0.1, 0.6)
        recorder.lunash(self.now, self.pid, f"info : 0 : Lush user login : {account} : {self.source}")

    def run(self, command: str, code: str = "0", wait: tuple[float, float] = (4, 25)) -> datetime:
        """One command after a while; gives the moment of its line."""
        self.now += self.recorder.pause(*wait)
        self.recorder.lunash(
            self.now, self.pid, f"info : {code} : Command: {command}  : {self.account} : {self.source}"
        )
        return self.now

    def so_login(self, command: str = "hsm login") -> None:
        self.recorder.so_login(self.now + self.recorder.pause(3, 4))
        self.run(command, wait=(4, 9))

    def close(self) -> datetime:
        self.now += self.recorder.pause(2, 9)
        self.recorder.sshd(
            self.now, self.sshd_pid, f"Received disconnect from {self.address}: 11: disconnected by user"
        )
        self.now += self.recorder.pause(0.02, 0.1)
        self._pam(self.now, f"session closed for user {self.account}")
        return self.now

    def _pam(self, at: datetime, text: str) -> None:
        self.recorder.sshd(at, self.sshd_pid, f"pam_unix(sshd[{self.sshd_pid}]:session): {text}")
