"""One Sigma rule, perhaps counted by a correlation: read by pySigma, what has no form here refused with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationConditionOperator, SigmaCorrelationType
from sigma.exceptions import SigmaError

from analytics.sigma import columns
from analytics.sigma.conditions import CannotExpressError, condition
from analytics.sigma.expressions import trouble
from analytics.sigma.yaml_file import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analytics.header import Mistake
    from analytics.sigma.columns import Column, Source
    from analytics.sigma.yaml_file import Keys, RuleFile

LONGEST_CONDITION, MOST_BRACKETS, LONGEST_NAME = 500, 4, 60
"""Brackets within brackets, and patterns of long names, take a parser ever longer."""

COUNTS = {SigmaCorrelationType.EVENT_COUNT: "", SigmaCorrelationType.VALUE_COUNT: "distinct"}
LEAST = {SigmaCorrelationConditionOperator.GTE: 0, SigmaCorrelationConditionOperator.GT: 1}
LONGEST_SPAN = 90 * 86400


@dataclass(frozen=True, slots=True)
class Count:
    """`least` records within `seconds` that agree in `by`; with `distinct`, so many different values of it."""

    least: int
    seconds: int
    by: tuple[Column, ...]
    distinct: Column | None


@dataclass(frozen=True, slots=True)
class Rule:
    """`about` has what pySigma read: title, level, description and so on; `condition` is SQL over `events`."""

    about: Any
    source: Source
    condition: str
    count: Count | None


def understand(file: RuleFile) -> Rule:
    """Raises RefusedError with all that has no form here, each with its line."""
    counted = _documents(file)
    source = _source(file)
    mistakes = list(_wrong_detection(file, source))
    if mistakes:
        raise RefusedError(mistakes)
    rules = _parsed(file)
    sql = _condition(file, rules[0], source)
    return Rule(rules[-1], source, sql, _count(file, rules[-1], source) if counted else None)


def _documents(file: RuleFile) -> bool:
    """One rule, or one and the correlation that counts it. Whether there is one."""
    for number, lines in enumerate(file.documents):
        for key in ("action", "filter"):
            if (key,) in lines:
                raise file.refused(f"{key}: collections have no form here, only rules", number, (key,))
    if not file.documents:
        raise file.refused("holds no rule")
    kinds = ["correlation" if ("correlation",) in lines else "rule" for lines in file.documents]
    if kinds not in (["rule"], ["rule", "correlation"]):
        what = f"has {len(kinds)} documents" if len(kinds) != 1 else "is a correlation alone"
        raise file.refused(f"{what}: wants one rule, or a rule and the correlation that counts it", len(kinds) - 1)
    return len(kinds) == 2


def _source(file: RuleFile) -> Source:
    rule = file.documents[0]
    for part in ("logsource", "detection"):
        if (part,) not in rule:
            raise file.refused(f"{part} is missing")
    asked = {part: rule["logsource", part].value for part in columns.PARTS if ("logsource", part) in rule}
    found = columns.source(asked)
    if found is None:
        what = f"no lines of ours are this log source; there are {', '.join(columns.sources())}"
        raise file.refused(what, 0, ("logsource",))
    return found


def _wrong_detection(file: RuleFile, source: Source) -> Iterator[Mistake]:
    """What would only be told by its name, not by its place."""
    for keys, place in file.documents[0].items():
        if keys[0] == "detection" and len(keys) > 1 and keys[1] != "condition":
            for what in (*_wrong_key(keys[1], keys[2:], source), *_wrong_expression(keys[2:], place.value)):
                yield file.mistake(what, 0, keys)


def _wrong_key(name: str, inner: Keys, source: Source) -> Iterator[str]:
    """Of a selection's name, or of a field within it."""
    if name == "timeframe":
        yield "timeframe: counts are correlations, in a second document of type event_count or value_count"
    elif not inner and len(name) > LONGEST_NAME:
        yield f"a name of more than {LONGEST_NAME} characters"
    elif inner and not inner[-1].isdigit():
        field, *modifiers = inner[-1].split("|")
        if field and source.column(field) is None:
            yield _no_column(field, source)
        for modifier in modifiers:
            if modifier not in columns.modifiers():
                yield f"modifier {modifier} has no form in SQL here"


def _wrong_expression(inner: Keys, value: str) -> Iterator[str]:
    """Before pySigma compiles it: its library complains on standard error, and without a place."""
    field = next((key for key in reversed(inner) if not key.isdigit()), "")
    wrong = trouble(value) if value and "re" in field.split("|")[1:] else ""
    if wrong:
        yield wrong


def _no_column(field: object, source: Source) -> str:
    return f"no column of these lines is {field}; there are {', '.join(source.fields)}"


def _parsed(file: RuleFile) -> list[Any]:
    """The rule and its correlation as pySigma has them."""
    try:
        rules: list[Any] = list(SigmaCollection.from_yaml(file.text))
    except SigmaError as error:
        raise file.refused(f"pySigma: {_one_line(error)}", len(file.documents) - 1) from None
    except Exception as error:  # noqa: BLE001  (another's library on a stranger's file: any error is the file's)
        what = f"pySigma cannot read it: {type(error).__name__}: {_one_line(error)}"
        raise file.refused(what) from None
    return sorted(rules, key=lambda rule: hasattr(rule, "timespan"))


def _condition(file: RuleFile, rule: Any, source: Source) -> str:  # noqa: ANN401
    """The one condition of the rule."""
    place: Keys = ("detection", "condition")
    given = rule.detection.condition
    if len(given) != 1:
        raise file.refused(f"has {len(given)} conditions: wants one", 0, place)
    if not isinstance(given[0], str):
        raise file.refused("the condition wants a text", 0, place)
    if len(given[0]) > LONGEST_CONDITION or given[0].count("(") > MOST_BRACKETS:
        what = f"the condition is longer than {LONGEST_CONDITION} characters or has more than {MOST_BRACKETS} brackets"
        raise file.refused(what, 0, place)
    try:
        return condition(rule.detection.parsed_condition[0].parsed, source)
    except CannotExpressError as error:
        raise file.refused(str(error), 0, _place_of(file, error.field)) from None
    except SigmaError as error:
        raise file.refused(f"condition: {_one_line(error)}", 0, place) from None
    except Exception as error:  # noqa: BLE001  (as above)
        raise file.refused(f"pySigma cannot read it: {type(error).__name__}: {_one_line(error)}", 0, place) from None


def _place_of(file: RuleFile, field: str) -> Keys:
    """The first key of this field; a keyword has none."""
    keys = (keys for keys in file.documents[0] if keys[0] == "detection" and keys[-1].split("|")[0] == field)
    return next(keys, ("detection", "condition"))


def _count(file: RuleFile, rule: Any, source: Source) -> Count:  # noqa: ANN401
    place: Keys = ("correlation", "type")
    if rule.type not in COUNTS:
        what = f"a correlation of type {rule.type} has no form here: event_count and value_count have"
        raise file.refused(what, 1, place)
    if rule.generate or rule.aliases.aliases:
        raise file.refused("generate and aliases have no form here", 1, ("correlation",))
    if not isinstance(rule.condition, SigmaCorrelationCondition) or rule.condition.op not in LEAST:
        raise file.refused("counts are found when they are reached: gte or gt", 1, ("correlation", "condition"))
    if not 0 < rule.timespan.seconds <= LONGEST_SPAN:
        raise file.refused("timespan: at most 90 days", 1, ("correlation", "timespan"))
    by = tuple(_column(file, field, source, "group-by") for field in rule.group_by or ())
    distinct = _column(file, rule.condition.fieldref, source, "condition") if COUNTS[rule.type] else None
    least = rule.condition.count + LEAST[rule.condition.op]
    if not isinstance(least, int) or not 1 <= least <= 1_000_000:
        raise file.refused("wants a whole number of at least 1", 1, ("correlation", "condition"))
    return Count(least, rule.timespan.seconds, by, distinct)


def _column(file: RuleFile, field: object, source: Source, key: str) -> Column:
    found = source.column(field) if isinstance(field, str) else None
    if found is None:
        raise file.refused(_no_column(field, source), 1, ("correlation", key))
    return found


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()[:300]
