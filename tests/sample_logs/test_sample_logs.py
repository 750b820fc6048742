"""The sample week: made again byte for byte, consistent in itself, and movable to any week."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from hsmtrail import change_files, config, samples
from parsers.batch import Parser
from parsers.inventory import Device, Inventory
from parsers.patterns import load

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "sample_logs"
GOLDEN = Path(__file__).with_name("golden_counts.txt")
MONDAY = date(2026, 11, 16)
RECORD = re.compile(
    rb" cbs[ \[].*?(\d{1,10}),(\d\d/\d\d/\d\d \d\d:\d\d:\d\d),(S/N .*?\S)(?: *,([0-9A-F]{64}),([0-9A-F]{96}))?$"
)
TEXT = re.compile(rb"session (\d+) Access (\d+):(\d+) .*returned \w+\(0x([0-9A-F]{8})\)")
moment = datetime.fromisoformat
DOCUMENTATION = re.compile(rb"^(192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|0\.0\.0\.0$)")


@pytest.fixture(scope="module")
def lines():
    return samples.shifted_lines(FOLDER, MONDAY)


@pytest.fixture(scope="module")
def inventory():
    tables = tomllib.loads((FOLDER / "devices.toml").read_text(encoding="utf-8"))["device"]
    return Inventory(tuple(Device(table["name"], tuple(table["hosts"]), tuple(table["serials"])) for table in tables))


def parsed(lines, inventory):
    """All lines as the loader would have them parsed, a second after they were sent."""
    frame = pl.DataFrame(
        {
            "received_at": [line.sent_at + timedelta(seconds=1) for line in lines],
            "peer": ["127.0.0.1"] * len(lines),
            "peer_identity": [""] * len(lines),
            "raw": [line.raw for line in lines],
            "trouble": [""] * len(lines),
        },
        schema_overrides={"received_at": pl.Datetime("us"), "raw": pl.Binary},
    )
    return Parser(load(), inventory).parse(frame)


@pytest.fixture(scope="module")
def records(lines, inventory):
    return parsed(lines, inventory)


def test_generator_gives_the_committed_bytes(tmp_path):
    """The generator gives the same bytes every time, and they are those in the repository."""
    subprocess.run([sys.executable, str(FOLDER / "generate.py"), str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(map(str, made)) == [*(f"hsm-{name}/week.log" for name in ("ams-1", "ams-2", "fra-1")), "replay.txt"]
    for path, content in made.items():
        assert content == (FOLDER / path).read_bytes(), f"{path} is not what generate.py writes"


def test_week_is_complete(lines):
    """About 20,000 lines of three devices, in the order of sending, inside the week."""
    assert 18_000 <= len(lines) <= 22_000
    assert {line.device for line in lines} == {"hsm-ams-1", "hsm-ams-2", "hsm-fra-1"}
    moments = [line.sent_at for line in lines]
    assert moments == sorted(moments)
    assert moment("2026-11-16") <= moments[0]
    assert moments[-1] < moment("2026-11-23")
    total = sum(
        len((FOLDER / device / "week.log").read_bytes().splitlines()) for device in {line.device for line in lines}
    )
    assert total == len(lines)


def test_only_documentation_addresses(lines):
    """No address in the samples belongs to anybody."""
    found = {address for line in lines for address in re.findall(rb"\b(?:\d{1,3}\.){3}\d{1,3}\b", line.raw)}
    assert not [address for address in found if not DOCUMENTATION.match(address)]


def test_devices_are_heard_every_ten_minutes(lines):
    """Each device is heard at least every ten minutes, but for the one silence of two hours."""
    last, silences = {}, []
    for line in lines:
        pause = line.sent_at - last.get(line.device, moment("2026-11-16"))
        if pause > timedelta(minutes=10):
            silences.append((line.device, last[line.device], pause))
        last[line.device] = line.sent_at
    assert [device for device, _, _ in silences] == ["hsm-fra-1"]
    _, begin, pause = silences[0]
    assert timedelta(hours=2) <= pause < timedelta(hours=2, minutes=20)
    assert begin > moment("2026-11-19 12:50")


def test_audit_numbers_have_one_hole(lines):
    """Audit records are numbered without a gap per HSM, but for 137 that are lost on hsm-ams-2."""
    numbers = defaultdict(list)
    for line in lines:
        if found := RECORD.search(line.raw):
            numbers[line.device].append(int(found[1]))
    gaps = {
        device: [after - before - 1 for before, after in pairwise(run) if after != before + 1]
        for device, run in numbers.items()
    }
    assert gaps == {"hsm-ams-1": [], "hsm-ams-2": [137], "hsm-fra-1": []}


def test_raw_blocks_agree_with_their_text(lines):
    """Sequence, time, code, access id and session are the same in the text and in the raw block."""
    proven = Counter()
    for line in lines:
        found = RECORD.search(line.raw)
        if not found or not found[5]:
            continue
        words = struct.unpack("<12I", bytes.fromhex(found[5].decode()))
        text = TEXT.search(found[3])
        stamp = datetime.strptime(found[2].decode(), "%y/%m/%d %H:%M:%S").replace(tzinfo=UTC)
        assert words[0] & 0xFFFFFF == int(found[1]) & 0xFFFFFF
        assert words[2:7] == (int(stamp.timestamp()), int(text[4], 16), int(text[3]), int(text[2]), int(text[1]))
        proven[line.device] += 1
    assert proven["hsm-ams-1"] > 2000
    assert proven["hsm-fra-1"] > 400
    assert proven["hsm-ams-2"] == 0


def test_guesses_have_three_witnesses_and_no_success(lines):
    """Each wrong Security Officer password shows three times; no login follows in the week."""
    told = [line.raw for line in lines if line.device == "hsm-ams-2" and line.sent_at >= moment("2026-11-18 21:47")]
    assert sum(b"HSM Admin Login: incorrect password" in raw for raw in told) == 2
    assert sum(b"0x00a00000 : Command: hsm login" in raw for raw in told) == 2
    officer = [raw for raw in told if b"SO container operation LUNA_LOGIN" in raw]
    assert len(officer) == 2
    assert all(b"LUNA_RET_UM_PIN_INCORRECT(0x00A00000)" in raw for raw in officer)


def test_old_password_fails_five_times_in_rhythm(lines):
    """Five failures a minute apart on one partition, then a success."""
    logins = [
        line
        for line in lines
        if line.device == "hsm-ams-1"
        and b"operation LUNA_LOGIN" in line.raw
        and b"container=23" in line.raw
        and moment("2026-11-19") <= line.sent_at < moment("2026-11-20")
    ]
    assert [b"RC_OK" in line.raw for line in logins] == [False] * 5 + [True]
    gaps = {(after.sent_at - before.sent_at).seconds for before, after in pairwise(logins[:5])}
    assert gaps == {60}


def test_moving_by_nothing_changes_nothing(lines):
    """Shifted to its own week, every line is the line in the file."""
    per_device = defaultdict(list)
    for line in lines:
        per_device[line.device].append(line.raw)
    for device, raws in per_device.items():
        assert b"".join(raw + b"\n" for raw in raws) == (FOLDER / device / "week.log").read_bytes()


@pytest.mark.parametrize("weeks", [-200, -1, 6, 67])
def test_moving_moves_every_time_and_nothing_else(weeks, lines, records, inventory):
    """Moved by whole weeks, every event happens exactly so much later, and all else is as it was."""
    span = timedelta(weeks=weeks)
    later = samples.shifted_lines(FOLDER, MONDAY + span)
    assert [line.sent_at for line in later] == [line.sent_at + span for line in lines]
    moved = parsed(later, inventory)
    assert (moved["event_at"] - records["event_at"]).unique().to_list() == [span]
    same = [
        "device",
        "family",
        "operation",
        "outcome",
        "event_at_source",
        "status",
        "trouble",
        "audit_sequence",
        "command",
    ]
    assert moved.select(same).equals(records.select(same))


def test_a_week_begins_on_monday():
    """Any other day is refused."""
    with pytest.raises(ValueError, match="2026-11-17 is no Monday"):
        samples.shifted_lines(FOLDER, date(2026, 11, 17))


@pytest.mark.parametrize(
    ("today", "monday"),
    [
        ("2026-11-24", "2026-11-16"),
        ("2026-11-23", "2026-11-16"),
        ("2026-11-22", "2026-11-09"),
        ("2027-01-04", "2026-12-28"),
    ],
)
def test_last_complete_week(today, monday):
    """A week is over on the Monday after it."""
    assert samples.last_complete_week(date.fromisoformat(today)) == date.fromisoformat(monday)


def test_samples_are_parsed(records):
    """At least 99 of 100 lines are known to a body pattern, every line has its device, no audit record is in doubt."""
    assert (records["status"] == "parsed").mean() >= 0.99
    assert records.filter(pl.col("device") == "").height == 0
    audit = records.filter(pl.col("family") == "hsm_audit")
    assert audit["trouble"].unique().to_list() == [""]
    assert set(audit["status"]) == {"parsed"}


def test_counts_are_the_golden_ones(records):
    """What each device's lines become, by family, operation and outcome, is as written down."""
    keys = ["device", "family", "operation", "outcome"]
    counted = ["\t".join(map(str, row)) for row in records.group_by(keys).len().sort(keys).rows()]
    if os.environ.get("GOLDEN") == "renew":
        GOLDEN.write_text("\n".join(counted) + "\n", encoding="utf-8")
    assert counted == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_changes_can_be_imported(tmp_path):
    """changes.csv is what `hsmtrail changes import` reads, shifted with the week."""
    path = tmp_path / "changes.csv"
    path.write_text(samples.shifted_changes(FOLDER, date(2026, 11, 30)), encoding="utf-8")
    changes = change_files.read_changes(path)
    assert [change.begin for change in changes] == [
        "2026-11-30T08:00:00Z",
        "2026-12-01T13:30:00Z",
        "2026-12-02T19:00:00Z",
    ]
    assert changes[0].devices == ["hsm-ams-1", "hsm-ams-2", "hsm-fra-1"]
    assert changes[2].kind == "patch"


def test_devices_are_a_configuration(tmp_path):
    """devices.toml is a part of hsmtrail.toml as it is, and its devices are those of the logs."""
    path = tmp_path / "hsmtrail.toml"
    path.write_text('data_dir = "data"\n' + (FOLDER / "devices.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert [device.name for device in config.load(path).device] == [sender.device for sender in samples.senders(FOLDER)]


def test_stories_move_with_the_week():
    """Stories stand in the week they are asked for; a daily one has seven spans."""
    stories = {story.name: story for story in samples.shifted_stories(FOLDER, MONDAY + timedelta(weeks=1))}
    assert stories["so-guess"].spans[0][0] == moment("2026-11-25 21:47")
    assert samples.Expected("AUTH-01", "so on hsm-ams-2", "critical") in stories["so-guess"].finds
    assert len(stories["daily-off-load"].spans) == 7
    names = {device for story in stories.values() for device in story.devices}
    assert names == {sender.device for sender in samples.senders(FOLDER)}


def test_folder_is_found():
    """The samples are found beside the package of a checkout, or in the package of a wheel."""
    assert (samples.sample_folder() / "stories.toml").is_file()
