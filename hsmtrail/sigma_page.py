"""docs/reference/sigma.md: what of Sigma has a form here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.sigma import columns
from analytics.sigma.yaml_file import DEEPEST, MOST_BYTES, MOST_NODES

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = f"""`hsmtrail detectors from-sigma FILE --out FOLDER` drafts a detector and a blank for its cases from a Sigma
rule, read by pySigma (`pip install "hsmtrail[sigma]"`). What has no form here is refused, each reason with its line,
and nothing is written: a rule that loses a part would find something else than it says.

- **Kept**: title, level (as severity), description, author, id, licence, false alarms, references, ATT&CK techniques.
- **Compared** as Sigma says: text without case, `*` and `?` as wildcards, and what is not there is unlike every value.
  A keyword is looked for in the message. Regular expressions are RE2's.
- **Counted** by a correlation in a second document, `event_count` or `value_count` with `gte` or `gt`, over one rule.
- **Refused**: other kinds of correlation, `timeframe`, several rules, filters, placeholders, parts of times, fields
  compared with fields, anchors, and files of more than {MOST_BYTES:,} bytes, {MOST_NODES:,} values or {DEEPEST} levels.
- **One episode** ends with a pause of an hour, of a count with a pause of its span. Severities `high` and `critical`
  are judged live, others every five minutes. Change both in the draft, which is yours from then on.
"""


def sigma_page() -> Iterator[str]:
    yield HEAD
    yield f"Modifiers: {_words(columns.modifiers())}.\n"
    yield "## Log sources\n\n| product | service | records |\n|---|---|---|"
    for source in columns.all_sources():
        yield f"| {source.product} | {source.service} | `{source.records}` |"
    yield "\n## Fields\n"
    yield "Of `product: luna` every column of [events](views.md) is a field by its own name, as is `details.NAME`.\n"
    yield "| column | fields |\n|---|---|"
    for column, fields in columns.aliases().items():
        yield f"| `{column}` | {_words(fields)} |"
    yield ""


def _words(words: frozenset[str] | list[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))
