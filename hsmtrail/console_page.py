"""The reference page of console output: each form, how it is known, and what its lines show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsers.console_forms import forms

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = """# Console output

What `hsmtrail baseline observe` reads ([console-output.md](../console-output.md)). The forms are data,
`parsers/forms/*.toml`, each with examples.

**How each is known** decides how far to trust it: *sample seen*: printed output was read; *documented*: a manual
describes it; *recalled*: it is remembered, and was never read again; *inferred*: it follows from another form. Forms
that are recalled or inferred, and most forms on firmware 7, were **never seen on a device**: a line that differs is
left out and told, never guessed at.

Lines are matched whole, with every run of blanks as one blank. A word in braces is what the line shows.
"""


def console_page() -> str:
    """Markdown; the same for the same forms."""
    return "\n".join([BEGIN, *_forms()])


def _forms() -> Iterator[str]:
    for form in forms():
        yield f"## {form.name}\n\n{form.seen[0].upper()}{form.seen[1:]}: {form.source}.\n"
        yield "| line | settings |\n|---|---|"
        for line in form.line:
            told = [f"`{one.setting}` = `{one.value}`" for one in line.sets]
            told += [f"all of `{one.members}`: those not shown are {one.gone}" for one in line.lists]
            if told:
                yield f"| `{_escaped(line.match.pattern)}` | {_escaped('; '.join(told))} |"
        yield ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
