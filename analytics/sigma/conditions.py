"""A rule's condition, as pySigma has parsed it, to a condition of SQL. As Sigma has it, text is compared without case,
and what is not there is unlike every value.
"""

from __future__ import annotations

from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from analytics.networks import ends
from analytics.sigma.expressions import trouble
from analytics.sigma.literal import like_escaped, literal

if TYPE_CHECKING:
    from analytics.sigma.columns import Column, Source

OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "<>",
}
FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
WILDCARDS: dict[object, str] = {SpecialChars.WILDCARD_MULTI: "%", SpecialChars.WILDCARD_SINGLE: "_"}
INDENT = "    "


class CannotExpressError(Exception):
    """What has no form in SQL; `field` is whose value it is, '' for a keyword."""

    def __init__(self, what: str, field: str = "") -> None:
        self.field = field
        super().__init__(what)


def condition(tree: object, source: Source, depth: int = 2) -> str:
    """SQL over the view `events`. Raises CannotExpressError."""
    match tree:
        case ConditionAND() | ConditionOR():
            word = "AND" if isinstance(tree, ConditionAND) else "OR"
            joint = f"\n{INDENT * depth}{word} "
            return f"({joint.join(condition(one, source, depth + 1) for one in tree.args)})"
        case ConditionNOT():
            return f"NOT coalesce({condition(tree.args[0], source, depth)}, false)"
        case ConditionFieldEqualsValueExpression():
            return _field(tree.field, tree.value, source)
        case ConditionValueExpression():
            return _keyword(tree.value, source)
    raise CannotExpressError("the condition selects nothing")


def _field(field: str, value: object, source: Source) -> str:
    column = source.column(field)
    if column is None:
        raise CannotExpressError(f"no column is {field}", field)
    try:
        return Comparison(column).of(value)
    except ValueError as error:
        raise CannotExpressError(f"{field}: {error}", field) from None


def _keyword(value: object, source: Source) -> str:
    """Anywhere in the message."""
    column = source.column("message")
    if column is None or not isinstance(value, (SigmaString, SigmaNumber, SigmaRegularExpression)):
        raise CannotExpressError("a keyword wants a text, a number or a regular expression")
    try:
        if isinstance(value, SigmaRegularExpression):
            return Comparison(column).of(value)
        parts = value.s if isinstance(value, SigmaString) else [str(value)]
        return like(column, [SpecialChars.WILDCARD_MULTI, *parts, SpecialChars.WILDCARD_MULTI])
    except ValueError as error:
        raise CannotExpressError(f"keyword: {error}") from None


def like(column: Column, parts: list[Any], *, cased: bool = False) -> str:
    """Text and wildcards. ValueError for a placeholder."""
    pattern = ""
    for part in parts:
        if not isinstance(part, str) and part not in WILDCARDS:
            raise ValueError("a placeholder has no value here (modifier expand)")
        pattern += like_escaped(part) if isinstance(part, str) else WILDCARDS[part]
    return rf"{as_text(column)} {'LIKE' if cased else 'ILIKE'} {literal(pattern)} ESCAPE '\'"


def as_text(column: Column) -> str:
    return column.expression if column.kind == "text" else f"CAST({column.expression} AS VARCHAR)"


class Comparison:
    """One column with a value of each type that pySigma has; `of` is the condition. ValueError when there is none."""

    def __init__(self, column: Column) -> None:
        self._column, self._name = column, column.expression

    @singledispatchmethod
    def of(self, value: Any) -> str:  # noqa: ANN401  (types that have no form here)
        raise ValueError(f"{type(value).__name__.removeprefix('Sigma')} has no form in SQL here")

    @of.register
    def _text(self, value: SigmaString) -> str:
        cased, parts = isinstance(value, SigmaCasedString), [part for part in value.s if part != ""]
        if not parts:
            return self._absent()
        if len(parts) > 1 or not isinstance(parts[0], str):
            return like(self._column, parts, cased=cased)
        return self._equal(parts[0], cased=cased)

    def _equal(self, text: str, *, cased: bool) -> str:
        if self._column.kind == "number":
            return f"{self._name} = {_number(text)}"
        if self._column.kind == "flag":
            raise ValueError("is true or false, without quotes")
        return f"{self._name} = {literal(text)}" if cased else f"lower({self._name}) = lower({literal(text)})"

    @of.register
    def _number(self, value: SigmaNumber) -> str:
        if self._column.kind == "flag":
            raise ValueError("is true or false")
        return f"{self._name} = {value.number if self._column.kind == 'number' else literal(str(value.number))}"

    @of.register
    def _part_of_time(self, value: SigmaTimestampPart) -> str:
        raise ValueError(f"parts of a time ({value.timestamp_part.name.lower()}) have no form here")

    @of.register
    def _bool(self, value: SigmaBool) -> str:
        if self._column.kind != "flag":
            raise ValueError("is neither true nor false")
        return f"{self._name} = {str(value.boolean).lower()}"

    @of.register
    def _null(self, _value: SigmaNull) -> str:
        return self._absent()

    @of.register
    def _exists(self, value: SigmaExists) -> str:
        return f"NOT {self._absent()}" if value else self._absent()

    def _absent(self) -> str:
        """NULL, and '' where a column never is NULL."""
        return f"(coalesce({as_text(self._column)}, '') = '')"

    @of.register
    def _compared(self, value: SigmaCompareExpression) -> str:
        if self._column.kind != "number":
            raise ValueError("is no number: lt, lte, gt and gte need one")
        return f"{self._name} {OPERATORS[value.op]} {value.number.number}"

    @of.register
    def _expression(self, value: SigmaRegularExpression) -> str:
        flags = "".join(FLAGS[flag] for flag in FLAGS if flag in value.flags)
        pattern = f"(?{flags})" * bool(flags) + ("" if "s" in flags else "(?-s)") + value.regexp.to_plain_regex()
        if wrong := trouble(pattern):
            raise ValueError(wrong)
        return f"regexp_matches({as_text(self._column)}, {literal(pattern)})"

    @of.register
    def _network(self, value: SigmaCIDRExpression) -> str:
        if not self._column.is_address:
            raise ValueError("is no address: cidr needs one")
        first, last = ends(str(value.network))
        return f"address_key({self._name}) BETWEEN {literal(first)} AND {literal(last)}"

    @of.register
    def _any_of(self, value: SigmaExpansion) -> str:
        return f"({' OR '.join(self.of(one) for one in value.values)})"


def _number(text: str) -> int:
    """Decimal, or hexadecimal after 0x. ValueError for anything else."""
    digits = text.strip().lower()
    if len(digits) > 20 or not digits.isascii():
        raise ValueError("is a number of at most 20 digits")
    try:
        return int(digits, 16 if digits.startswith("0x") else 10)
    except ValueError:
        raise ValueError("is a number") from None
