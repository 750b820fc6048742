"""Exports of Luna Cloud HSM through the commands that people type."""

import gzip
import io
import json
import zipfile

from support.typed import typed

RECORD = {
    "time": "2026-11-20 14:52:47.046662 UTC",
    "source": "thales/cloudhsm/1334049524932",
    "action": "LUNA_LOGIN",
    "status": "LUNA_RET_UM_PIN_INCORRECT",
    "meta": {"clientip": "192.0.2.1", "hsmid": "567782", "partid": "1334049524932", "role": "CO"},
}
MORE = RECORD | {"action": "LUNA_SIGN_SINGLEPART", "status": "LUNA_RET_OK", "meta": json.dumps(RECORD["meta"])}


def zipped(text):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("export.json", text)
    return file.getvalue()


def test_parse_reads_an_export(tmp_path):
    """One JSON line for each record of an array, packed or through a pipe; a damaged file is one sentence."""
    text = json.dumps([RECORD, MORE], indent=2).encode()
    (tmp_path / "export.json.gz").write_bytes(gzip.compress(text))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(text)[:-9])
    for words, given in ((["export.json.gz"], None), ([], text), ([], zipped(text))):
        done = typed("parse", *words, input=given, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        login, sign = map(json.loads, done.stdout.splitlines())
        assert (login["family"], login["strike"], login["role"]) == ("hsm_audit", True, "co")
        assert (sign["operation"], sign["outcome"]) == ("key_use", "ok")
    done = typed("parse", "cut.gz", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be read to its end" in done.stderr
    assert "Traceback" not in done.stderr


def test_import_takes_an_export(site):
    """Into the store, as records of the HSM that were imported."""
    (site.folder / "export.zip").write_bytes(zipped(json.dumps([RECORD, MORE])))
    result = json.loads(site.command("import", str(site.folder / "export.zip"), "--format", "json").stdout)
    assert (result["lines"], result["new"], result["unparsed"]) == (2, 2, 0)
    rows = site.query("SELECT family, transport, role, hsm_serial, partition FROM events ORDER BY event_at, record_id")
    same = {"family": "hsm_audit", "transport": "import", "role": "co", "hsm_serial": "567782"}
    assert rows == [same | {"partition": "1334049524932"}] * 2
