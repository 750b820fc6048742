"""What `[[partition]]` settles: the role behind a number, and the serial behind a container or a label."""

import pytest

from hsmtrail.config import load
from hsmtrail.wiring import inventory
from parsers import batch_body
from parsers.batch import Parser
from parsers.inventory import Device, Inventory, Partition

HEAD = "<158>Nov 23 08:15:01 luna hsmlogd[7]: "
SHELL = "<174>Nov 23 08:15:01 luna lunash [7]: info : 0 : Command: {} : admin : Console"
HSM = Inventory(
    (Device("hsm-1", ("luna",)), Device("hsm-2", ("other",))),
    (
        Partition("hsm-1", "3", "1334049524931", "", "admin"),
        Partition("hsm-1", "20", "1334049524932", "payments"),
        Partition("hsm-1", "21", 'x"\\', "20"),
        Partition("hsm-1", "22"),
        Partition("hsm-2", "20", "", "", "admin"),
    ),
)


def audit(tail, actor="", event="LUNA_LOGIN", host="luna", serial=""):
    text = f"{serial}session 1 Access 2147483651:2669 {actor}operation {event} returned RC_OK(0x00000000)"
    return f"{HEAD.replace('luna', host)}7,26/11/23 08:15:01,{text}{tail}"


CASES = [
    (audit(" container=3 roleID=0"), "admin", "1334049524931"),
    (audit(" container=3 roleID=1"), "so", "1334049524931"),
    (audit(" container=3 roleID=8"), "au", "1334049524931"),
    (audit(" container=3 roleID=77"), "", "1334049524931"),
    (audit(" container=3 role=CO"), "co", "1334049524931"),
    (audit(" container=3"), "", "1334049524931"),
    (audit(" container=20 roleID=0"), "co", "1334049524932"),
    (audit(" container=20 roleID=1"), "po", "1334049524932"),
    (audit(" container=20 roleID=1", actor="SO container "), "so", "1334049524932"),
    (audit(" container=20 roleID=1", event="LUNA_DELETE_CONTAINER"), "so", "1334049524932"),
    (audit(" container=20 roleID=1", host="other"), "so", None),
    (audit(" container=20 roleID=1", host="stranger"), "po", None),
    (audit(" container=21 roleID=0"), "co", 'x"\\'),
    (audit(" container=22 roleID=0"), "co", None),
    (audit(" container=20", serial="S/N 150718 "), "", "150718020"),  # as the record itself says
    (audit(" roleID=1"), "so", None),
    (SHELL.format("partition clear -partition payments"), "", "1334049524932"),
    (SHELL.format("partition clear -partition 20"), "", "1334049524932"),  # a number before another's label
    (SHELL.format("partition clear -partition nobody"), "", None),
]


@pytest.mark.parametrize(("line", "role", "serial"), CASES)
def test_a_partition_is_settled(parse, line, role, serial):
    """The kind decides what a number means; the serial is told unless the line tells its own; other devices differ."""
    got = parse(line, inventory=HSM)
    assert got.get("role", "") == role
    assert got.get("details", {}).get("partition_serial") == serial


def test_in_bulk_it_is_the_same(patterns, as_batch, monkeypatch):
    """Together and one by one, with details and without, quoted and nested."""
    monkeypatch.setattr(batch_body, "FEW", 1)
    nested = SHELL.format('partition clear -partition payments -partition_serial {"partition_serial":1}')
    lines = as_batch([*(line for line, _, _ in CASES), nested, *(line for line, _, _ in reversed(CASES)), ""])
    parser = Parser(patterns, HSM)
    assert parser.at_once(lines).equals(parser.one_by_one(lines), null_equal=True)


def test_configured_partitions_reach_the_parser(tmp_path):
    """Each table, as it is written; and history is read again when one changes."""
    file = tmp_path / "hsmtrail.toml"
    written = 'data_dir = "d"\n[[device]]\nname = "hsm-1"\n[[partition]]\ndevice = "hsm-1"\ncontainer = "3"\nserial = "9"\nkind = "admin"\n'
    file.write_text(written, encoding="utf-8")
    assert inventory(load(file)).partitions == (Partition("hsm-1", "3", "9", "", "admin"),)
