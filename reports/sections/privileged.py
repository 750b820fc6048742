"""P3, privileged activity: who used power, and was it approved?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import counted, number, role_name, sentence, word

if TYPE_CHECKING:
    from datetime import datetime

    from reports.period import Period
    from reports.questions import Questions
    from reports.settings import PackSettings

CLASSES = ("destructive", "log_tampering", "privileged", "config", "logging", "availability")


@dataclass(frozen=True, slots=True)
class Act:
    """One act with all its witnesses; `ticket` is '' when no approved change covers it."""

    event_at: datetime
    device: str
    operation: str
    outcome: str
    account: str
    role: str
    source: str
    command: str
    setting: str
    value: str
    partition: str
    families: tuple[str, ...]
    records: tuple[int, ...]
    ticket: str
    kind: str


@dataclass(frozen=True, slots=True)
class ActCount:
    """`routine` acts are not among the others: log off-loads, packed and then cleared by one account."""

    acts: int
    routine: int
    without_ticket: int
    refused: int
    destructive: int
    zeroized: int


@dataclass(frozen=True, slots=True)
class Cell:
    """How often one account, or role where no account is known, did one kind of act."""

    who: str
    is_account: bool
    kind: str
    acts: int
    without_ticket: int
    refused: int


@dataclass(frozen=True, slots=True)
class KeyActs:
    destroyed: int
    taken_out: int


@dataclass(frozen=True, slots=True)
class Person:
    """A row of the matrix: numbers in the order of Privileged.classes, None where there was nothing."""

    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Privileged:
    """P3. `not_shown` acts are counted, and listed nowhere in the pack."""

    answer: str
    counts: ActCount
    keys: KeyActs
    classes: tuple[str, ...]
    people: tuple[Person, ...]
    acts: tuple[Act, ...]
    not_shown: int
    silence: str


def read(ask: Questions, period: Period, settings: PackSettings, heard: int) -> Privileged:
    grace = settings.grace_minutes
    counts = ask.row(ActCount, "privileged_count", period, grace_minutes=grace)
    acts = ask.rows(Act, "privileged", period, grace_minutes=grace, most=settings.acts_shown)
    cells = ask.rows(Cell, "matrix", period, grace_minutes=grace)
    classes = tuple(kind for kind in CLASSES if any(cell.kind == kind for cell in cells))
    return Privileged(
        answer=answer(counts),
        counts=counts,
        keys=ask.row(KeyActs, "key_acts", period),
        classes=classes,
        people=people(cells, classes),
        acts=acts,
        not_shown=counts.acts - len(acts),
        silence=silence(heard, period),
    )


def answer(counts: ActCount) -> str:
    """'Six privileged operations, one without an approved change'."""
    if not counts.acts:
        return "No privileged operation"
    all_of_them = sentence(counted(counts.acts, "privileged operation"))
    if not counts.without_ticket:
        done = counts.acts - counts.refused
        return f"{all_of_them}, {'refused' if not done else 'none without an approved change'}"
    return f"{all_of_them}, {word(counts.without_ticket)} without an approved change"


def silence(heard: int, period: Period) -> str:
    """No act is calm only as far as somebody listened."""
    return f"HSMs were heard in {counted(heard, 'device hour')} of a period of {number(period.hours)} hours."


def people(cells: tuple[Cell, ...], classes: tuple[str, ...]) -> tuple[Person, ...]:
    """The cells as rows, one for each account or role, in the order of the cells."""
    names = dict.fromkeys((cell.who, cell.is_account) for cell in cells)
    found = {(cell.who, cell.is_account, cell.kind): cell for cell in cells}
    return tuple(
        Person(who_text(who, is_account=is_account), tuple(found.get((who, is_account, kind)) for kind in classes))
        for who, is_account in names
    )


def who_text(who: str, *, is_account: bool) -> str:
    if is_account:
        return who
    return role_name(who) if who else "not named"


def cell_text(cell: Cell | None) -> str:
    """'4', '4, one without ◆': the mark stands beside the number, never a colour alone."""
    if cell is None:
        return ""
    return number(cell.acts) + (f" ({number(cell.without_ticket)} ◆)" if cell.without_ticket else "")


def target(act: Act) -> str:
    """What the act was about, in the words of the line."""
    words = " = ".join(filter(None, (act.setting, act.value))) if act.setting else act.command
    return f"{words} (partition {act.partition})" if act.partition else words
