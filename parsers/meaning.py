"""What vendor words mean in normal ones: operations, outcomes, strikes, roles. All of it is data in tables/."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from parsers.remembering import remembered

_EVENT = re.compile(r"\boperation (LUNA_[A-Z0-9_]+)")
_INTERNAL = re.compile(r"\bMSG_[A-Z0-9_]+")
OBJECT_OF = frozenset({"partition_create", "partition_delete", "partition_resize", "policy_set"})
"""Operations whose container is what they act on, not where their session is logged in."""


@dataclass(frozen=True, slots=True)
class Code:
    """A return code: its name, and whether it says that a wrong secret was counted."""

    name: str
    number: int
    strike: bool
    role: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A numbered policy of the HSM or of a partition."""

    name: str
    wording: str
    destructive: str


def table(name: str) -> list[dict[str, str]]:
    """The rows of one table of tables/."""
    text = (files("parsers") / "tables" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def classes() -> dict[str, str]:
    """The class of each operation."""
    return {row["operation"]: row["class"] for row in table("operations")}


def class_of(operation: str) -> str:
    return classes().get(operation, "")


@cache
def _events() -> dict[str, str]:
    return {row["event"]: row["operation"] for row in table("events")}


def operation_of_event(event: str) -> str:
    """Of a LUNA_… or MSG_… name; an unknown one is 'other'."""
    return _events().get(event, "other")


@cache
def _alarms() -> dict[str, str]:
    return {row["alarm"]: row["operation"] for row in table("alarms")}


def operation_of_alarm(number: str) -> str:
    return _alarms().get(number, "alarm")


@cache
def policies() -> dict[tuple[str, int], Policy]:
    """By kind ('hsm', 'partition') and number."""
    return {
        (row["kind"], int(row["number"])): Policy(row["constant"], row["wording"], row["destructive"])
        for row in table("policies")
    }


@cache
def _codes() -> tuple[dict[str, Code], dict[int, Code]]:
    """By name, and by number: the firmware's own name before the appliance's and the library's."""
    by_name: dict[str, Code] = {}
    by_number: dict[int, Code] = {}
    for row in table("return_codes"):
        if row["family"] == "MSG":
            continue
        code = Code(row["name"], int(row["code_unsigned"]), row["strike"] == "true", row["role"])
        by_name.setdefault(code.name, code)
        by_number.setdefault(code.number, code)
    return by_name, by_number


def code_named(name: str | None) -> Code | None:
    return _codes()[0].get(name or "")


def code_numbered(number: int | None) -> Code | None:
    return None if number is None else _codes()[1].get(number)


@dataclass(frozen=True, slots=True)
class Result:
    """What a name and a number together say about how it ended."""

    number: int | None
    outcome: str
    strike: bool
    role: str
    trouble: str


@remembered(4096)
def result(name: str | None, number: int | None) -> Result:
    """The number rules: the HMAC covers it, and the name is only printed."""
    named, numbered = code_named(name), code_numbered(number)
    disagree = named is not None and number is not None and named.number != number
    if number is None and named is not None:
        number = named.number
    known = numbered or (None if disagree else named)
    outcome = "" if number is None and not name else "ok" if number == 0 else "failed"
    return Result(
        number,
        outcome,
        strike=known.strike if known else False,
        role=known.role if known else "",
        trouble=f"{name} is not code 0x{number:08X}" if disagree else "",
    )


def strike_of(operation: str, *, counted: bool) -> bool | None:
    """A counted wrong secret is a strike whatever asked for it; otherwise only logins say that there was none."""
    if counted:
        return True
    return False if operation == "login" else None


@cache
def _roles() -> dict[tuple[str, int], str]:
    return {(row["partition"], int(row["role_id"])): row["role"] for row in table("roles")}


@cache
def _role_words() -> dict[str, str]:
    return {row["word"]: row["role"] for row in table("role_words")}


def role_named(word: str) -> str:
    """The role that a word such as 'CO' or 'Auditor' names, '' for none."""
    return _role_words().get(word.lower().replace(" ", ""), "")


def role_of_actor(actor: str) -> str:
    """`SO container` speaks of the Security Officer."""
    return role_named(actor.removesuffix(" container"))


def role_of(role_id: int | None, actor: str, operation: str, *, container: bool) -> str:
    """The role of an audit record: its number in the kind of partition that it speaks of, else the actor's word."""
    word = role_of_actor(actor)
    if role_id is None:
        return word
    application = container and operation not in OBJECT_OF and word != "so"
    known = _roles()
    return known.get(("application" if application else "admin", role_id)) or known.get(("any", role_id), "")


def internal_event(text: str) -> str:
    """The MSG_… name of a module-internal record, '' for none."""
    found = _INTERNAL.search(text)
    return found[0] if found else ""


def event_within(text: str) -> str:
    """The LUNA_… event of a record whose form is not known, '' for none."""
    found = _EVENT.search(text)
    return found[1] if found else ""
