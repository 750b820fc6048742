"""What a pack is told besides the store: names, limits, and what each detector says about itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

LIMITS = {"so": 3, "au": 3, "po": 10, "co": 10, "lco": 10, "cu": 10}
"""Wrong secrets in a row before the HSM acts, as delivered; what cannot be said is judged by the strictest."""


@dataclass(frozen=True, slots=True)
class DetectorNote:
    """A detector as the pack quotes it; `sha256` is of its file.

    `approval` says whether this version was approved: approved, changed, not approved, '' where nobody keeps a lock.
    """

    id: str
    title: str
    severity: str
    finds: str
    blind_spots: str
    runbook: str
    sha256: str
    enabled: bool = True
    approval: str = ""

    @property
    def version(self) -> dict[str, str | bool]:
        """For the manifest."""
        approval = {"approval": self.approval} if self.approval else {}
        return {"id": self.id, "sha256": self.sha256, "enabled": self.enabled, **approval}

    @property
    def next_step(self) -> str:
        """The runbook's first step, on one line and without its number."""
        steps = re.split(r"(?m)^\s*\d+[.)]\s+", self.runbook.strip())
        first = next((step for step in steps if step.strip()), "")
        return " ".join(first.split())

    @property
    def blind_spots_line(self) -> str:
        return " ".join(self.blind_spots.split())


@dataclass(frozen=True, slots=True)
class RoleLimit:
    """A configured limit; '' stands for any device, partition or role. The most exact one holds."""

    device: str
    partition: str
    role: str
    limit: int


@dataclass(frozen=True, slots=True)
class PackSettings:
    """Everything has a default, so that a pack can be made of a bare store.

    `grace_minutes` is what clocks and changes may overrun an approved window by, as the detectors have it.
    """

    organisation: str = ""
    hsmtrail_version: str = ""
    patterns_version: str = ""
    detectors: tuple[DetectorNote, ...] = ()
    limits: tuple[RoleLimit, ...] = ()
    grace_minutes: int = 15
    evidence_per_finding: int = 10
    findings_shown: int = 100
    acts_shown: int = 200

    def limit(self, device: str, partition: str, role: str) -> int:
        """Failed logins in a row at which the HSM acts against this role."""
        fitting = [
            rule
            for rule in self.limits
            if rule.device in ("", device) and rule.partition in ("", partition) and rule.role in ("", role)
        ]
        exact = max(fitting, key=lambda rule: (bool(rule.device), bool(rule.partition), bool(rule.role)), default=None)
        return exact.limit if exact else LIMITS.get(role, min(LIMITS.values()))

    def note(self, detector: str) -> DetectorNote | None:
        return next((note for note in self.detectors if note.id == detector), None)
