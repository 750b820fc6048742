"""An audit record of Luna Cloud HSM (Data Protection on Demand): one JSON object.

    {"time": "2022-10-30 14:52:47.046662 UTC", "source": "thales/cloudhsm/1334049524932", "action": "LUNA_LOGIN",
     "status": "LUNA_RET_OK", "meta": {"clientip": "192.0.2.1", "hsmid": "567782", "partid": "1334049524932", …}, …}

`meta` comes as an object or as the text of one. What has no column is kept in the details under the vendor's name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from parsers.meaning import role_named

_EVENT = re.compile(r"LUNA_[A-Z0-9_]{1,80}")
_RETURN = re.compile(r"(?:LUNA_|RC_|CKR_)[A-Z0-9_]{1,80}")
_ADDRESS = re.compile(r"[0-9A-Za-z_.:%-]{1,64}")
_DIGITS = re.compile(r"[0-9]{1,20}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,64}")
_SERVICE = re.compile(r"thales/cloudhsm/([0-9]{1,20})")
_OUTCOMES = {"success": "ok", "failure": "failed"}
NEEDED = ("time", "action", "status")

_COLUMNS = {
    "action": ("vendor_event", _EVENT),
    "status": ("return_name", _RETURN),
    "clientip": ("source", _ADDRESS),
    "hsmid": ("hsm_serial", _DIGITS),
    "partid": ("partition", _DIGITS),
    "ouid": ("object_uid", _HEX),
}
"""Where a key has a column of its own, in lower case, and what its value must look like."""


@dataclass(slots=True)
class CloudRecord:
    """The columns and details of a record, and its time as written."""

    columns: dict[str, object] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    stamp: str = ""


def read(text: str) -> CloudRecord | None:
    """The record; None when the text is no such object."""
    said = _object(text)
    if said is None or not all(isinstance(said.get(name), str) for name in NEEDED):
        return None
    found = CloudRecord(stamp=str(said.pop("time")))
    meta = said.pop("meta", None)
    inner = _object(meta) if isinstance(meta, str) else meta
    if isinstance(inner, dict):
        said |= {name if name not in said else f"meta_{name}": value for name, value in inner.items()}
    elif meta is not None:
        said["meta"] = meta
    for name, value in said.items():
        _take(found, name, value)
    partition = _SERVICE.fullmatch(str(said.get("source")))
    if partition and "partition" not in found.columns:
        _take(found, "partid", partition[1])
    return found


def _object(text: str) -> dict[str, object] | None:
    """A JSON object; None for anything else, and for one that no other program could read again."""
    try:
        said = json.loads(text, parse_constant=_refused)
        json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _refused(constant: str) -> object:
    raise ValueError(constant)


def _take(found: CloudRecord, name: str, value: object) -> None:
    column, form = _COLUMNS.get(name.lower(), ("", _HEX))
    plain = str(value) if isinstance(value, (str, int)) else ""
    if column and form.fullmatch(plain):
        found.columns[column] = plain.upper() if column == "object_uid" else plain
        if column == "partition":
            found.details["partition_serial"] = plain
    elif name.lower() == "role" and (role := role_named(plain)):
        found.columns["role"] = role
    elif name == "status" and plain.lower() in _OUTCOMES:
        found.columns["outcome"] = _OUTCOMES[plain.lower()]
    else:
        found.details[name] = value
