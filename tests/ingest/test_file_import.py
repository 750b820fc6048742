"""Files into the import spool: packed, exported as JSON, wrapped, and what cannot be read."""

import gzip
import io
import json
import os
import resource
import signal
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from ingest.archive_import import Limits
from ingest.file_content import MAX_MESSAGE, Messages
from ingest.file_import import ImportFailed, files_below, import_files
from ingest.json_objects import JsonObjects
from ingest.spool import SpoolError, SpoolReader, SpoolSettings, SpoolWriter
from ingest.wrapped_lines import WrappedLines
from parsers.as_json import json_record
from parsers.inventory import Inventory
from parsers.line import Expressions, Received, parse
from parsers.patterns import load

NOW = datetime(2026, 11, 23, 8, 15, 1)
PATTERNS = load()
META = {"clientip": "192.0.2.1", "hsmid": "567782", "partid": "1334049524932", "role": "CO"}
RECORD = {
    "time": "2022-10-30 14:52:47.046662 UTC",
    "source": "thales/cloudhsm/1334049524932",
    "resourceID": "f59a597b-19b9-41df-b479-1530ed60fca3",
    "actorID": "d5fa3ace-a79f-40ba-8e21-3ebf0bf0250a",
    "tenantID": "b863768a-9b90-4a6a-b8ec-01a7b46a6ca3",
    "action": "LUNA_LOGIN",
    "status": "LUNA_RET_OK",
    "traceID": "_PQejsfbmmiohSUzOMs5hvJehlrkVxdSopjdrZSx30A",
    "meta": META,
}
FAILED = RECORD | {
    "action": "LUNA_SIGN_SINGLEPART",
    "status": "LUNA_RET_KEY_HANDLE_INVALID",
    "meta": json.dumps(META | {"ouid": "2b00000fa1", "note": 'a "quoted" } brace\\'}),
}
BOTH = [RECORD, FAILED]


def zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        for number, member in enumerate(members):
            archive.writestr(f"folder/{number}.json", member)
    return file.getvalue()


LINES = "".join(json.dumps(one) + "\n" for one in BOTH).encode()
FORMS = {
    "object lines": LINES,
    "no line feed at the end": LINES[:-1],
    "array": json.dumps(BOTH).encode(),
    "array over lines": json.dumps(BOTH, indent=2).encode(),
    "objects over lines": "\n".join(json.dumps(one, indent=1) for one in BOTH).encode(),
    "byte-order mark": b"\xef\xbb\xbf" + json.dumps(BOTH).encode(),
    "gzip of lines": gzip.compress(LINES),
    "gzip of an array": gzip.compress(json.dumps(BOTH).encode()),
    "zip of an array": zipped(json.dumps(BOTH)),
    "zip of two files": zipped(json.dumps([RECORD]), json.dumps(FAILED)),
}


def imported(tmp_path, *contents_of_files):
    """The rows of the spool after an import, all of whose files could be read."""
    rows, notes = imported_with_notes(tmp_path, *contents_of_files)
    assert (notes.failed, notes.left_out) == ([], [])
    return rows


def imported_with_notes(tmp_path, *contents_of_files, limits=None):
    files = []
    for number, content in enumerate(contents_of_files):
        files.append(tmp_path / f"file-{number}")
        files[-1].write_bytes(content)
    spool = SpoolWriter.open(tmp_path / "spool" / "import", 0, SpoolSettings())
    try:
        result = import_files(spool, files, lambda: NOW, lambda _: None, limits)
    finally:
        spool.close()
    reader, rows = SpoolReader(tmp_path / "spool" / "import"), []
    while batches := reader.next_batches():
        rows += [row for batch in batches for row in batch.table.to_pylist()]
    reader.close()
    assert result.lines == len(rows)
    assert result.files == len(files)
    return rows, result.notes


def read(raw):
    return json_record(parse(Received(raw, NOW), PATTERNS, Inventory(), Expressions()))


@pytest.mark.parametrize("form", FORMS)
def test_cloud_exports(tmp_path, form):
    """Object lines or an array, plain, gzip or zip: one record for each object."""
    rows = imported(tmp_path, FORMS[form])
    assert [row["transport"] for row in rows] == ["import"] * 2
    login, sign = (read(row["raw"]) for row in rows)
    assert login["family"] == sign["family"] == "hsm_audit"
    assert (login["vendor_event"], login["outcome"], login["role"], login["source"]) == (
        "LUNA_LOGIN",
        "ok",
        "co",
        "192.0.2.1",
    )
    assert (login["event_at"], login["event_at_source"]) == ("2022-10-30T14:52:47.046662Z", "record")
    assert login["details"]["tenantID"] == RECORD["tenantID"]
    assert (sign["operation"], sign["outcome"], sign["return_code"]) == ("key_use", "failed", 0x00600000)
    assert (sign["hsm_serial"], sign["partition"], sign["object_uid"]) == ("567782", "1334049524932", "2B00000FA1")
    assert sign["details"]["note"] == 'a "quoted" } brace\\'


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_objects_in_pieces(size):
    """However the bytes come, the objects are the same, and what stands between them is kept."""
    text = b' [{"a": "}\\""}, {"b": {"c": []}}\n, oops {"d": "\xc3\xa9"} ] {"e'
    objects, found = JsonObjects(MAX_MESSAGE), []
    for start in range(0, len(text), size):
        found += objects.feed(text[start : start + size])[0]
    found += objects.close()
    assert found == [b'{"a": "}\\""}', b'{"b": {"c": []}}', b"oops", b'{"d": "\xc3\xa9"}', b'{"e']


def test_an_object_that_is_too_long():
    """Its beginning is kept and counted as cut; the next object is whole."""
    long = b'{"a": "' + b"x" * 100 + b'"}'
    assert JsonObjects(50).feed(long + b'{"b": 1}') == ([long[:50], b'{"b": 1}'], (0,))
    objects = JsonObjects(50)
    assert objects.feed(long[:80]) == ([long[:50]], (0,))
    assert objects.feed(long[80:] + b'{"b": 1}')[0][-1] == b'{"b": 1}'


def test_no_object_at_all(tmp_path):
    """An export of a quiet day has no messages."""
    assert imported(tmp_path, b"[]\n") == []


HEAD = b"38,12/08/13 15:30:50,session 1 Access 2147483651:22621 operation LUNA_CREATE_CONTAINER returned LUNA_RET_SM_UNKNOWN_TOSM_STATE(0x00300014) (using PIN (entry=LUNA_ENTRY_DATA_AREA))"
MAC = b"29C51014B6F131EC67CF48734101BBE301335C25F43EDF8828745C40755ABE25"
BLOCK = b"2600001003600B00EA552950140030005D580000030000800100000000000000000000000000000000000000"
NEXT = b"39,12/08/13 15:30:51,session 1 Access 2147483651:22621 operation LUNA_LOGIN returned RC_OK(0x00000000)"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + b",\n" + MAC + b",\n" + BLOCK,
        HEAD + b"\n," + MAC + b"\n," + BLOCK,
        HEAD + b"\n" + MAC + b"\n" + BLOCK,
        HEAD + b"," + MAC + b",\n" + BLOCK,
        HEAD + b" ,\r\n  " + MAC + b" ,\r\n  " + BLOCK + b"\r",
        HEAD + b",\n" + MAC + b",\n" + BLOCK[:44] + b"\n" + BLOCK[44:],
        HEAD + b"," + MAC + b"," + BLOCK,
    ],
    ids=["commas at ends", "commas at starts", "no commas", "block alone", "blanks and CR", "block in two", "one line"],
)
def test_wrapped_proofs(tmp_path, text):
    """MAC and raw block on lines of their own belong to the record before, and the bytes stay."""
    rows = imported(tmp_path, text + b"\n" + NEXT + b"\n")
    assert [row["raw"] for row in rows] == [text, NEXT]
    got = read(rows[0]["raw"])
    assert (got["mac"], got["raw_block"], got["entry"]) == (MAC.decode(), BLOCK.decode(), "LUNA_ENTRY_DATA_AREA")
    assert (got["event_at"], got["event_at_source"]) == ("2012-08-13T19:30:50.000000Z", "raw_block")
    assert got["details"] == {"using": "PIN", "zone": "-04:00"}
    assert "trouble" not in got


@pytest.mark.parametrize("cut", range(1, 4))
def test_wrapped_proofs_across_portions(cut):
    """Where a portion ends makes no difference."""
    given = [NEXT, HEAD, MAC, BLOCK, NEXT]
    wrapped, found = WrappedLines(), []
    for portion in (given[:cut], given[cut:]):
        found += wrapped.feed(Messages(portion)).raw
    assert found + wrapped.close().raw == [NEXT, b"\n".join([HEAD, MAC, BLOCK]), NEXT]


@pytest.mark.parametrize(
    "given",
    [
        [b"<13>Nov 23 08:15:01 h x: y", MAC],
        [MAC, BLOCK],
        [HEAD, MAC[:39]],
        [HEAD, b"x" + MAC],
    ],
)
def test_hexadecimal_lines_of_others(given):
    """Only an audit record has a proof."""
    wrapped = WrappedLines()
    assert wrapped.feed(Messages(given)).raw + wrapped.close().raw == given


def test_a_record_takes_no_more_than_its_own():
    """A file of nothing but hexadecimal is not one message."""
    wrapped = WrappedLines()
    found = wrapped.feed(Messages([HEAD, *[MAC] * 9])).raw + wrapped.close().raw
    assert len(found) == 6


@pytest.mark.parametrize(
    "content",
    [gzip.compress(LINES)[:-9], b"\x1f\x8b" + os.urandom(20), zipped(LINES)[:-30], b"PK\x03\x04 and no archive"],
)
def test_what_is_damaged_is_named(tmp_path, content):
    """A packed file that is cut or no archive at all is a sentence, not a traceback; the next file is read."""
    rows, notes = imported_with_notes(tmp_path, content, LINES)
    assert [one.file for one in notes.failed] == [str(tmp_path / "file-0")]
    assert "cannot be read to its end" in notes.failed[0].why
    assert len([row for row in rows if row["peer"] == str(tmp_path / "file-1")]) == 2


def test_what_came_before_too_much_is_kept(tmp_path):
    """A file that unpacks to too much ends there, with its reason; the next file is read."""
    lines = b"".join(b"line %d\n" % number for number in range(2_000_000))
    rows, notes = imported_with_notes(tmp_path, gzip.compress(lines, 1), LINES, limits=Limits(bytes=8 << 20))
    assert [one.why for one in notes.failed] == ["unpacks to more than 8,388,608 bytes; what came before is kept"]
    assert rows[0]["raw"] == b"line 0"
    assert 100_000 < len(rows) < 2_000_000
    assert [json.loads(row["raw"]) for row in rows[-2:]] == BOTH


def test_small_logs_share_a_batch(tmp_path):
    """An archive of many small logs is not as many commits; each line keeps the log that it comes from."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}.log", f"line {number}\n")
    rows = imported(tmp_path, file.getvalue())
    assert [row["peer"].rpartition("!")[2] for row in rows] == [f"{number}.log" for number in range(300)]
    assert [row["raw"] for row in rows] == [f"line {number}".encode() for number in range(300)]
    reader = SpoolReader(tmp_path / "spool" / "import")
    assert len(reader.next_batches()) == 1
    reader.close()


def test_empty_lines_fill_a_batch_too(tmp_path):
    """A small archive of line feeds is millions of messages: no batch, and no memory, holds them all."""
    path = tmp_path / "empty.gz"
    path.write_bytes(gzip.compress(b"\n" * (2 << 20)))
    spool = SpoolWriter.open(tmp_path / "spool", 0, SpoolSettings())
    try:
        result = import_files(spool, [path], lambda: NOW, lambda _: None)
    finally:
        spool.close()
    assert result.lines == 2 << 20
    assert result.last_batch - result.first_batch >= 1


def test_names_that_are_no_text(tmp_path):
    """A file may be called anything."""
    path = tmp_path / os.fsdecode(b"a\xff\n.log")
    path.write_bytes(LINES)
    spool = SpoolWriter.open(tmp_path / "spool" / "import", 0, SpoolSettings())
    try:
        assert import_files(spool, [path], lambda: NOW, lambda _: None).lines == 2
    finally:
        spool.close()


def test_files_below(tmp_path):
    """Each file once, however often it is named; links in folders, devices and pipes in folders are not files."""
    (tmp_path / "a.log").write_text("a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.log").write_text("c")
    (tmp_path / "b" / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "b" / "pipe")
    given = [tmp_path / "a.log", tmp_path, tmp_path / "b" / ".." / "a.log"]
    assert files_below(given) == [tmp_path / "a.log", tmp_path / "b" / "c.log"]
    with pytest.raises(ImportFailed, match="is a device"):
        files_below([Path("/dev/zero")])
    with pytest.raises(ImportFailed, match="is not there"):
        files_below([tmp_path / "none"])


def test_a_full_disk_is_a_sentence(tmp_path):
    """And says how much is safe."""
    (tmp_path / "a.log").write_bytes(b"x" * 1000 + b"\n")
    spool = SpoolWriter.open(tmp_path / "spool" / "import", 0, SpoolSettings())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(SpoolError, match="0 lines are safe"):
            import_files(spool, [tmp_path / "a.log"], lambda: NOW, lambda _: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        spool.close()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"time": 1, "action": "LUNA_LOGIN", "status": "x"}',
        '{"time": "2022-10-30 14:52:47 UTC", "action": "LUNA_LOGIN"}',
        '{"time": "x", "action": "y", "status": "z", "n": NaN}',
        '{"time": "x", "action": "\\ud800", "status": "z"}',
        "{" * 5000 + "}" * 5000,
        '{"time": "x", "a": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"time": "2022-10-30 14:52:47 UTC"',
    ],
)
def test_objects_that_are_no_records(text):
    """Other JSON is kept as a line that nobody knows."""
    got = read(text.encode())
    assert got["status"] == "unparsed"
    assert got["message"] == text


def test_a_record_with_an_impossible_time():
    """It keeps the next clock, and says so; a `meta` that is neither object nor text of one is kept."""
    got = read(json.dumps(RECORD | {"time": "2022-02-30 14:52:47 UTC", "meta": ["odd"]}).encode())
    assert (got["status"], got["event_at_source"], got["trouble"]) == (
        "parsed",
        "received",
        "impossible date in the record",
    )
    assert got["details"]["meta"] == ["odd"]
