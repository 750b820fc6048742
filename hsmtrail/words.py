"""Words that commands and errands share, so that a wrong one is told with those that are right."""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """Of a finding."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    SUPERSEDED = "superseded"


class Disposition(enum.StrEnum):
    """What a finding turned out to be."""

    EXPECTED = "expected"
    FIXED = "fixed"
    INCIDENT = "incident"
    FALSE_ALARM = "false_alarm"


class ChangeKind(enum.StrEnum):
    """What an approved change is for."""

    CHANGE = "change"
    PATCH = "patch"
    DECOMMISSION = "decommission"
    PROVISIONING = "provisioning"
    DR_TEST = "dr-test"
    CEREMONY = "ceremony"
