"""What each operation stands for, out of the tables: for the reference page."""

from __future__ import annotations

from dataclasses import dataclass

from parsers.meaning import classes, table


@dataclass(frozen=True, slots=True)
class Meant:
    """One operation, and the vendor's words that become it."""

    operation: str
    command_class: str
    events: tuple[str, ...]
    commands: tuple[str, ...]
    alarms: tuple[str, ...]


def vocabulary() -> list[Meant]:
    """Every operation, in the order of the classes."""
    return [
        Meant(
            operation,
            command_class,
            _vendor_words("events", "event", operation),
            _vendor_words("commands", "command", operation),
            tuple(f"ALM{number}" for number in _vendor_words("alarms", "alarm", operation)),
        )
        for operation, command_class in classes().items()
    ]


def _vendor_words(name: str, column: str, operation: str) -> tuple[str, ...]:
    return tuple(row[column] for row in table(name) if row["operation"] == operation)
