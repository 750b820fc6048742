"""Reading detectors: what a file must hold, and that every mistake is told at once with its place."""

import pytest

from analytics.detector import DetectorError, Override, load, load_all
from support.bench import CHAINS, write_detector

ROW = "SELECT device AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence FROM events"
WINDOW = "WHERE event_at BETWEEN $window_start AND $window_end"


def mistakes(folder, query=f"{ROW} {WINDOW}", **options):
    path = write_detector(folder, query, **options)
    with pytest.raises(DetectorError) as caught:
        load(path)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_good_file_is_read_whole(tmp_path):
    """Header, query and digest; what is not said has its default."""
    detector = load(write_detector(tmp_path))
    assert (detector.id, detector.kind, detector.every, detector.watches) == ("TEST-01", "episodes", "live", "true")
    assert (detector.policy.in_change_window, detector.policy.on_new_device) == ("lower", "never")
    assert len(detector.sha256) == 64
    assert detector.finds == "What a test wants to be found."
    assert detector.header()["in_change_window"] == "lower"


def test_all_mistakes_of_a_header_are_told_with_their_lines(tmp_path):
    """Missing, unknown and wrong keys at once."""
    path = write_detector(tmp_path, kind="sometimes", every="often")
    path.write_text(
        path.read_text()
        .replace('title      = "Something happened"\n', "")
        .replace('frameworks = ["PCI DSS 4.0.1 10.2"]', 'frameworks = "PCI"\nwishes = 3')
        .replace('attack = { version = "19", techniques = [] }', 'attack = "T1"')
        .replace('looks_back = "10m"', 'looks_back = "10 minutes"')
        .replace('id         = "TEST-01"', 'id         = "test"')
        .replace("*/", "[parameters]\nmost = 3\n*/")
    )
    with pytest.raises(DetectorError) as caught:
        load(path)
    said = sorted(str(mistake) for mistake in caught.value.mistakes)
    assert said == sorted(
        [
            "something.sql:1: title is missing",
            "something.sql:2: id wants capital letters, a dash and two digits, such as AUTH-01",
            "something.sql:3: kind wants one of episodes, state",
            'something.sql:5: every wants "live" or a time such as "5m", "1h", "1d"',
            'something.sql:6: looks_back wants a time such as "10m", "2h", "30d"',
            "something.sql:11: frameworks wants a list of texts",
            "something.sql:12: wishes is no key of a detector",
            'something.sql:13: attack wants { version = "19", techniques = ["T1110.001"] }',
            'something.sql:16: parameter most wants { default = …, why = "…" }',
        ]
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SELECT 1", "begins with no /* header */"),
        ("/* id = 1", "the header has no end */"),
        ("/*\nid = \n*/ SELECT 1", "x.sql:2: the header is not TOML"),
        ('/*\nparameters = 3\nfinds = ""\n*/ SELECT 1', "x.sql:2: parameters wants a table"),
    ],
)
def test_a_file_that_is_no_detector_says_why(tmp_path, text, what):
    """With its name and line."""
    path = tmp_path / "x.sql"
    path.write_text(text)
    with pytest.raises(DetectorError) as caught:
        load(path)
    assert what in str(caught.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path):
    """Not there, or no text."""
    with pytest.raises(DetectorError, match=r"gone.sql:1: cannot be read"):
        load(tmp_path / "gone.sql")
    (tmp_path / "bytes.sql").write_bytes(b"/*\xff*/")
    with pytest.raises(DetectorError, match=r"bytes.sql:1: cannot be read"):
        load(tmp_path / "bytes.sql")


@pytest.mark.parametrize(
    ("query", "what"),
    [
        (f"{ROW} {WINDOW}; SELECT 1", "wants exactly one SELECT"),
        ("INSERT INTO devices SELECT * FROM devices", "wants exactly one SELECT"),
        ("DROP TABLE records", "wants exactly one SELECT"),
        ("PRAGMA version", "SELECT"),
        ("SELECT FROM WHERE", "syntax error"),
        (f"{ROW} {WINDOW} AND event_at < now()", "now() depends on more than its arguments"),
        (f"{ROW} {WINDOW} AND event_at < current_timestamp", "current_timestamp is a clock"),
        (f"{ROW} {WINDOW} AND event_at < current_date", "current_date is a clock"),
        (f"{ROW} {WINDOW} AND event_at < today()", "today() depends"),
        (f"{ROW} {WINDOW} AND random() > 0.5", "random() depends"),
        (f"{ROW} {WINDOW} AND age(event_at) > INTERVAL 1 DAY", "age() depends"),
        (f"{ROW} {WINDOW} AND getenv('HOME') <> ''", "getenv() depends"),
        (f"{ROW.replace('events', 'records')} {WINDOW}", "records is no published view"),
        (f"{ROW.replace('events', 'main.events')} {WINDOW}", "events is no published view"),
        (f"{ROW} {WINDOW} AND EXISTS (FROM findings)", "findings is no published view"),
        (f"{ROW} {WINDOW} AND EXISTS (FROM duckdb_settings())", "duckdb_settings() reads what is not published"),
        (f"{ROW} {WINDOW} AND role = $role", "$role is no parameter of this detector"),
        (f"{ROW} WHERE event_at > ?", "wants $names, not ?"),
        (f"{ROW} WHERE event_at > $window_start", "$window_end is never used"),
        (f"{ROW.replace('device', 'devise')} {WINDOW}", 'Referenced column "devise" not found'),
        (f"{ROW.replace('AS evidence', 'AS proof')} {WINDOW}", "the result wants a column evidence of type UBIGINT[]"),
        (f"{ROW.replace('device', '1')} {WINDOW}", "the result wants a column subject of type VARCHAR"),
        (
            f"{ROW.replace('FROM', ', 3 AS severity FROM')} {WINDOW}",
            "the result wants a column severity of type VARCHAR",
        ),
    ],
)
def test_what_a_query_must_not_do(tmp_path, query, what):
    """One SELECT over the published views, no clock, only declared parameters, the four columns."""
    said = mistakes(tmp_path, query)
    assert any(what in one for one in said), said


@pytest.mark.parametrize(
    ("needs", "what"),
    [
        ('"accounts"', 'something.sql:14: needs wants { accounts = "what is not measured without them" }'),
        ('{ accounts = "" }', 'something.sql:14: needs wants { accounts = "what is not measured without them" }'),
        ('{ roster = "strangers" }', "something.sql:14: needs: roster is none of accounts, admin_ranges"),
    ],
)
def test_what_a_detector_needs_has_a_name_and_a_reason(tmp_path, needs, what):
    """One that the configuration can say."""
    (said,) = mistakes(tmp_path, more=f"needs = {needs}")
    assert said.startswith(what)


def test_a_mistake_in_the_query_has_the_line_of_the_file(tmp_path):
    """Also DuckDB's own complaints."""
    (said,) = mistakes(tmp_path, f"\n\n{ROW}\n{WINDOW}\nAND devise = 'x'")
    assert said.startswith("something.sql:20: Binder Error")
    (said,) = mistakes(tmp_path, f"\n\n{ROW}\n{WINDOW}\nAND event_at < now()")
    assert said == "something.sql:20: now() depends on more than its arguments"


def test_declared_and_used_parameters_are_the_same(tmp_path):
    """One too many is as wrong as one too few."""
    said = mistakes(
        tmp_path, more='[parameters]\nmost = { default = 3, why = "x" }\nwindow_end = { default = 1, why = "x" }'
    )
    assert [one.split(": ", 1)[1] for one in said] == [
        "parameter most is declared and never used",
        "parameter window_end has the name of one that is always bound",
    ]


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("operation = ", "syntax error"),
        ("wishes = 3", 'Referenced column "wishes"'),
        ("true; DROP TABLE records", "wants one condition, no ;"),
        ("event_at < now()", "now() depends"),
        ("record_id IN (SELECT id FROM findings)", "findings is no published view"),
    ],
)
def test_what_a_detector_watches_is_one_condition(tmp_path, condition, what):
    """Checked like the query."""
    said = mistakes(tmp_path, more=f'watches = "{condition}"')
    assert any(one.startswith("something.sql:14: watches: ") and what in one for one in said), said


def test_common_tables_lambdas_and_lists_are_no_tables(tmp_path):
    """What the query makes for itself it may read."""
    query = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3),
    own AS (SELECT * FROM EVENTS WHERE event_at BETWEEN $window_start AND $window_end)
    SELECT device AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence,
        list_filter([1, 2], lambda one: one > 1) AS more
    FROM own, n, unnest([1, 2]) AS t(x), range(3)"""
    assert load(write_detector(tmp_path, query)).id == "TEST-01"


def test_a_file_is_judged_again_when_it_has_changed(tmp_path):
    """And only then: the same text says the same, and a mistake is told each time."""
    path = write_detector(tmp_path, CHAINS)
    assert load(path) is load(path)
    write_detector(tmp_path, CHAINS, every="5m")
    assert load(path).every == "5m"
    write_detector(tmp_path, "SELECT 1")
    for _ in range(2):
        with pytest.raises(DetectorError):
            load(path)


def test_a_site_folder_lies_on_top(tmp_path):
    """The same id there replaces ours; a new one is one more; mistakes do not hide the rest."""
    write_detector(tmp_path, CHAINS, id="AUTH-01")
    write_detector(tmp_path, CHAINS, name="own", id="SITE-01")
    write_detector(tmp_path, CHAINS, name="twice", id="SITE-01")
    write_detector(tmp_path, "SELECT 1", name="wrong", id="SITE-02")
    found = load_all([tmp_path, tmp_path / "nowhere"])
    assert found.get("AUTH-01").title == "Something happened"
    assert found.get("SITE-01").path.name == "twice.sql"
    assert found.get("SITE-02") is None
    said = "\n".join(map(str, found.mistakes))
    assert "SITE-01 is in own.sql too" in said
    assert "wrong.sql" in said
    assert "nowhere:1: is no folder" in said


def test_a_site_cannot_set_what_is_not_there(tmp_path):
    """Unknown detectors, unknown parameters, values of another kind, words that are no severity."""
    more = '[parameters]\nmost = { default = 3, why = "x" }\nwords = { default = ["a"], why = "x" }'
    write_detector(tmp_path, f"{ROW} {WINDOW} AND $most > 0 AND list_contains($words, role)", more=more)
    given = {
        "TEST-01": Override(severity="bad", parameters={"most": "many", "words": [1], "least": 1}),
        "TEST-99": Override(),
    }
    said = [str(one) for one in load_all([tmp_path], given).mistakes]
    assert said == [
        "configuration:1: [detectors.TEST-01] severity wants one of info, low, medium, high, critical",
        "configuration:1: [detectors.TEST-01.parameters] least  no such parameter (most, words)",
        "configuration:1: [detectors.TEST-01.parameters] most = 'many'  wants a value like 3",
        "configuration:1: [detectors.TEST-01.parameters] words = [1]  wants a value like ['a']",
        "configuration:1: [detectors.TEST-99] there is no such detector",
    ]


def test_an_empty_list_and_a_whole_number_for_a_fraction_will_do(tmp_path):
    """A site may ignore nothing."""
    more = '[parameters]\nshare = { default = 0.5, why = "x" }\nwords = { default = ["a"], why = "x" }'
    write_detector(tmp_path, f"{ROW} {WINDOW} AND $share > 0 AND NOT list_contains($words, role)", more=more)
    found = load_all([tmp_path], {"TEST-01": Override(parameters={"share": 1, "words": []})})
    assert found.mistakes == ()
    assert dict(found.get("TEST-01").parameters) == {"share": 1, "words": []}
