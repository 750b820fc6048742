"""The digest that tells whether history must be read again."""

from importlib.resources import files

from parsers.batch import Parser
from parsers.inventory import Device, Inventory, Partition
from parsers.reading import KEPT, reading_of

DEVICES = (Device("hsm-1", ("luna",)),)
PARTITIONS = (Partition("hsm-1", "3", kind="admin"),)


def test_devices_and_partitions_are_part_of_it(patterns):
    """A change of either reads history again; the same values do not."""
    readings = [
        reading_of(Parser(patterns, Inventory(*said)))
        for said in ((), (DEVICES,), (DEVICES, PARTITIONS), (DEVICES, PARTITIONS))
    ]
    assert len(set(readings)) == 3
    assert readings[2] == readings[3]


def test_every_file_of_the_parsers_is_part_of_it():
    """But the patterns, which have a version of their own, and the marker of types."""
    package = files("parsers")
    names = [entry.name for folder in (package, package / "tables") for entry in folder.iterdir() if entry.is_file()]
    assert {name for name in names if not name.endswith(KEPT)} == {"py.typed"}
    assert "headers.toml" in names
