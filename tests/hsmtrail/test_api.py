"""HTTP of a running service: who may ask what, and how mistakes are answered."""

import hashlib
import http.client
import json

import pytest

from support.installation import BASIC

TOKENS = {"reader": "reading-token", "analyst": "deciding-token"}


@pytest.fixture(scope="module")
def module_site(tmp_path_factory):
    """One service for all questions here; only `work` runs."""
    from support.installation import Site

    here = Site(tmp_path_factory.mktemp("api"))
    users = "".join(
        f'[[web.user]]\nname = "{role}"\nrole = "{role}"\ntoken_sha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n'
        for role, token in TOKENS.items()
    )
    here.write(BASIC + users + '[[device]]\nname = "hsm-1"\nhosts = ["hsm-1"]\n')
    here.start("work")
    here.running("service")
    yield here
    here.stop()


def ask(site, method, path, body=None, token=None):
    """(status, headers, text) of one request."""
    written = json.loads((site.folder / "data" / "service.json").read_text())
    connection = http.client.HTTPConnection(written["host"], written["port"], timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    text = response.read().decode("utf-8", "replace")
    connection.close()
    return response.status, response.headers, text


def local(site):
    return (site.folder / "data" / "local.token").read_text().strip()


def test_the_token_is_its_owners_alone(module_site):
    """The file that lets commands in can be read by nobody else."""
    assert (module_site.folder / "data" / "local.token").stat().st_mode & 0o777 == 0o600


def test_what_it_writes_is_its_owners_alone(module_site):
    """Also the log that DuckDB makes beside the store, whatever the umask of who started it: lines stand in it."""
    files = [path for path in (module_site.folder / "data").rglob("*") if path.is_file()]
    assert any(path.name == "store.duckdb.wal" for path in files)
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_life_signs_are_open(module_site, path):
    """They say that it lives and how much it does."""
    assert ask(module_site, "GET", path)[0] == 200


def test_metrics_are_in_prometheus_form(module_site):
    """Every figure has its type."""
    text = ask(module_site, "GET", "/metrics")[2]
    assert "# TYPE hsmtrail_records gauge\nhsmtrail_records " in text


@pytest.mark.parametrize("token", [None, "wrong", ""])
def test_everything_else_wants_a_token(module_site, token):
    """Without the right one nothing is answered, and the answer says what is wanted."""
    status, headers, text = ask(module_site, "GET", "/api/status", token=token)
    assert (status, json.loads(text)["error"]) == (401, "a bearer token is wanted")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_status_has_what_the_contract_names(module_site):
    """The document outside programs rely on."""
    status = json.loads(ask(module_site, "GET", "/api/status", token=TOKENS["reader"])[2])
    assert set(status) == {"version", "receiver", "service", "evidence", "web"}
    assert {"pid", "running", "spool_bytes", "last_batch", "listeners"} <= set(status["receiver"])
    assert {"pid", "running", "records", "copies", "unknown", "last_batch", "lag_seconds", "runs", "deliveries"} <= set(
        status["service"]
    )
    assert {"waiting", "delivered", "dead"} <= set(status["service"]["deliveries"])
    assert status["web"]["address"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT 1 AS one", 200),
        ("DROP TABLE records", 400),
        ("SELECT 1; SELECT 2", 400),
        ("SELECT * FROM read_text('/etc/passwd')", 400),
        ("COPY records TO '/tmp/x'", 400),
        ("SELECT nothing_of_this_name FROM records", 409),
    ],
)
def test_queries_are_guarded(module_site, sql, wanted):
    """Reading is answered, everything else refused, mistakes in SQL are said."""
    assert ask(module_site, "POST", "/api/query", {"sql": sql}, TOKENS["reader"])[0] == wanted


def test_a_long_query_is_stopped(module_site):
    """Its time is over, and says so."""
    slow = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7"
    status, _, text = ask(module_site, "POST", "/api/query", {"sql": slow, "seconds": 0.2}, TOKENS["reader"])
    assert status == 408, text


def test_parameters_are_bound(module_site):
    """Values travel beside the statement."""
    asked = {"sql": "SELECT $word AS word", "parameters": {"word": "'; DROP TABLE records --"}}
    assert json.loads(ask(module_site, "POST", "/api/query", asked, TOKENS["reader"])[2]) == [
        {"word": "'; DROP TABLE records --"}
    ]


def test_a_cut_result_says_so(module_site):
    """The header holds how many rows there are in it."""
    asked = {"sql": "SELECT range FROM range(10)", "rows": 3}
    _, headers, text = ask(module_site, "POST", "/api/query", asked, TOKENS["reader"])
    assert headers["X-Hsmtrail-Truncated"] == "3"
    assert len(json.loads(text)) == 3


CHANGE = {"devices": ["hsm-1"], "begin": "2026-11-23", "end": "2026-11-24", "ticket": "CHG-1"}


@pytest.mark.parametrize(
    ("role", "name", "body", "wanted"),
    [
        ("reader", "list-changes", {}, 200),
        ("reader", "add-change", CHANGE, 403),
        ("analyst", "add-change", CHANGE, 200),
        ("analyst", "add-change", {**CHANGE, "devices": ["nobody"]}, 400),
        ("analyst", "add-change", {**CHANGE, "end": "2026-11-22"}, 400),
        ("analyst", "add-change", {**CHANGE, "begin": "soon"}, 400),
        ("analyst", "add-change", {**CHANGE, "extra": 1}, 400),
        ("analyst", "launch-missiles", {}, 404),
        ("analyst", "show-finding", {"id": 999}, 409),
        ("analyst", "close-finding", {"id": 999, "disposition": "expected"}, 409),
        ("analyst", "acknowledge-finding", {"id": 999}, 409),
        ("analyst", "run-detectors", {"ids": ["NO-99"]}, 400),
        ("analyst", "make-report", {"week": "2026-W99"}, 400),
        ("analyst", "make-report", {"week": "2026-W01", "begin": "2026-01-01"}, 400),
        ("analyst", "make-report", {"end": "2026-01-01"}, 400),
        ("analyst", "make-report", {"begin": "2026-01-02", "end": "2026-01-01"}, 400),
    ],
)
def test_errands_by_role(module_site, role, name, body, wanted):
    """Readers read, analysts decide; every mistake is a sentence."""
    status, _, text = ask(module_site, "POST", f"/api/errands/{name}", body, TOKENS[role])
    assert status == wanted, text
    if wanted != 200:
        assert json.loads(text)["error"]


def test_findings_take_their_filter_from_the_address(module_site):
    """GET /api/findings?states=open&states=closed."""
    assert ask(module_site, "GET", "/api/findings?states=open&states=closed", token=TOKENS["reader"])[2] == "[]"
    assert ask(module_site, "GET", "/api/findings?states=lost", token=TOKENS["reader"])[0] == 400


def test_a_huge_body_is_refused(module_site):
    """More than a mebibyte is not read."""
    status, _, _ = ask(module_site, "POST", "/api/query", {"sql": "x" * (2 << 20)}, local(module_site))
    assert status == 413


def test_a_body_that_is_no_json_is_refused(module_site):
    """A sentence, no traceback."""
    status, _, text = ask(module_site, "POST", "/api/query", "not an object", TOKENS["reader"])
    assert status == 400
    assert "error" in text


def test_another_process_finds_the_store_held(module_site):
    """A second service says who has it."""
    from hsmtrail.config import load
    from store.database import Database, StoreHeld

    with pytest.raises(StoreHeld, match="held by process"):
        Database.open(load(module_site.config).store_path)


def test_queries_are_remembered(module_site):
    """Who asked what stands in the store."""
    ask(module_site, "POST", "/api/query", {"sql": "SELECT 'remember me'"}, TOKENS["analyst"])
    asked = {"sql": "SELECT DISTINCT asked_by FROM queries WHERE sql = 'SELECT ''remember me'''"}
    assert json.loads(ask(module_site, "POST", "/api/query", asked, TOKENS["reader"])[2]) == [{"asked_by": "analyst"}]
