"""What the configuration knows of partitions, laid over what a line says of them.

A role's number means one role in an application partition and another in the admin partition. A record that names a
container is taken to speak of an application partition; `[[partition]] kind = "admin"` says where that is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from parsers.body import as_text
from parsers.distinct import distinct
from parsers.meaning import role_of

if TYPE_CHECKING:
    from parsers.inventory import Inventory, Partition

SERIAL = "partition_serial"
_MEMBER = f'"{SERIAL}":'
_USED = {"partition": pl.String(), "role": pl.String(), "role_id": pl.UInt8(), "details": pl.String()}


def settle(row: dict[str, object], details: dict[str, object], inventory: Inventory) -> None:
    """Role and serial of one line whose device is known; a serial that the line says itself stays."""
    known = inventory.partition(str(row["device"]), str(row["partition"] or ""))
    if known is None:
        return
    number = row["role_id"]
    if known.kind == "admin" and isinstance(number, int):
        row["role"] = _admin_role(str(number)) or row["role"]
    if known.serial:
        details.setdefault(SERIAL, known.serial)


def settled(frame: pl.DataFrame, inventory: Inventory) -> tuple[pl.DataFrame, pl.Series]:
    """The same for a batch, and which of its rows are sure."""
    sure = pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    if not inventory.partitions or "partition" not in frame.columns:
        return frame, sure
    frame = frame.with_columns_seq(pl.lit(None, kind).alias(name) for name, kind in _USED.items() if name not in frame)
    names = distinct(frame.select_seq(pl.concat_str("device", "partition", separator="\0")).to_series())

    def known(name: str) -> Partition | None:
        device, _, printed = name.partition("\0")
        return inventory.partition(device, printed)

    admin = names.judged(lambda name: (one := known(name)) is not None and one.kind == "admin", pl.Boolean)
    member = names.judged(lambda name: _member(known(name)), pl.String)
    roles = distinct(frame["role_id"].cast(pl.String)).judged(_admin_role, pl.String)
    said = pl.col("details").str.contains(_MEMBER, literal=True).fill_null(value=False)
    nested = pl.col("details").str.count_matches("{", literal=True) > 1
    unsure = frame.select_seq((said & nested).fill_null(value=False)).to_series() & member.is_not_null()
    role = pl.when(admin & (roles != "")).then(roles).otherwise("role")
    return frame.with_columns_seq(role=role, details=_with_member(member, said)), ~unsure


def _with_member(member: pl.Series, said: pl.Expr) -> pl.Expr:
    """Details as JSON text with one more member behind the others, unless it is there."""
    details = pl.col("details")
    longer = pl.concat_str(details.str.strip_suffix("}"), pl.lit(","), member, pl.lit("}"))
    alone = pl.concat_str(pl.lit("{"), member, pl.lit("}"))
    added = pl.when(details.is_null()).then(alone).otherwise(longer)
    return pl.when(pl.lit(member).is_null() | said).then(details).otherwise(added)


def _member(partition: Partition | None) -> str | None:
    text = as_text({SERIAL: partition.serial}) if partition and partition.serial else None
    return text[1:-1] if text else None


def _admin_role(number: str) -> str:
    return role_of(int(number), "", "", container=False)
