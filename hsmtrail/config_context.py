"""Tables of hsmtrail.toml about people and networks: what is expected, and what may be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hsmtrail.config_checks import Cidr, Day  # noqa: TC001  (pydantic reads the annotations)
from hsmtrail.config_section import Section


class Account(Section):
    """An appliance account or role holder that is expected."""

    name: str = Field(min_length=1, description="As lunash writes it.")
    devices: list[str] = Field(default=[], description="Where; empty is everywhere.")
    roles: list[Literal["admin", "operator", "monitor", "audit", "so", "po", "co", "lco", "cu", "au"]] = Field(
        default=[], description="What it may be."
    )
    owner: str = Field(default="", description="Who answers for it.")
    until: Day = Field(default="", description="Last day.")


class Range(Section):
    """A network that people or clients come from."""

    name: str = Field(min_length=1, description="What packs call it.")
    cidr: Cidr = Field(description="The network.")
    use: list[Literal["admin", "client", "nva", "probe", "relay"]] = Field(
        default=[], description="What comes from it."
    )


class Client(Section):
    """An NTLS client that is expected."""

    name: str = Field(min_length=1, description="As NTLS writes it.")
    addresses: list[str] = Field(default=[], description="Where it connects from.")
    devices: list[str] = Field(default=[], description="What it connects to.")
    partitions: list[str] = Field(default=[], description="What it may use there.")


class Partition(Section):
    """A partition, where logs alone cannot say what it is."""

    device: str = Field(min_length=1, description="Name of its [[device]].")
    container: str = Field(default="", description="Number in audit records.")
    serial: str = Field(default="", description="Serial number.")
    label: str = Field(default="", description="What people call it.")
    kind: Literal["application", "admin"] = Field(default="application", description="Which role a number means.")
    guarded: bool = Field(default=False, description="Its keys change in ceremonies only.")
    ephemeral: bool = Field(default=False, description="Its keys come and go.")
    limits: dict[Literal["po", "co", "lco", "cu"], int] = Field(default={}, description="Failed logins before it acts.")


class Allow(Section):
    """What a detector shall not report, who says so, and until when."""

    detector: str = Field(min_length=1, description="Its id.")
    match: dict[str, str] = Field(description="Result columns and the values that are allowed.")
    owner: str = Field(min_length=1, description="Who answers for it.")
    reason: str = Field(min_length=1, description="Why.")
    until: Annotated[Day, Field(min_length=1)] = Field(description="Last day; at most 90 days ahead.")
