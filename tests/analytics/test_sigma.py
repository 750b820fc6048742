"""Sigma rules of our own become detectors that find what the rule says; what has no form is refused with its line."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.cases import run_cases
from analytics.detector import load
from analytics.manners import scratch
from analytics.sigma.draft import draft
from analytics.sigma.literal import literal
from analytics.sigma.rule import understand
from analytics.sigma.yaml_file import MOST_BYTES, RefusedError, read
from support.bench import Bench

RULES = Path(__file__).parent / "sigma_rules"


def written(folder, rule, identifier="SIGMA-01"):
    """The draft as files; the path of the detector."""
    made = draft(understand(read(rule)), identifier)
    path = folder / f"{made.name}.sql"
    path.write_text(made.detector, encoding="utf-8")
    path.with_suffix(".cases.toml").write_text(made.cases, encoding="utf-8")
    return path


@pytest.mark.parametrize("rule", sorted(RULES.glob("*.yml")), ids=lambda path: path.stem)
def test_a_rule_becomes_a_detector_that_passes_its_cases(tmp_path, rule):
    """The draft loads; its blank fails until it is filled, and then everything passes."""
    path = written(tmp_path, rule)
    detector = load(path)
    assert [result.passed for result in run_cases(detector)] == [False, True]
    path.with_suffix(".cases.toml").write_text(rule.with_suffix(".filled.toml").read_text(encoding="utf-8"))
    assert [(result.name, result.trouble) for result in run_cases(detector) if not result.passed] == []


def test_the_header_says_where_it_comes_from(tmp_path):
    """Severity from the level, techniques from the tags, text from the description, and whose rule it was."""
    detector = load(written(tmp_path, RULES / "root_over_ssh.yml", "SITE-12"))
    assert (detector.id, detector.severity, detector.every, detector.path.name) == (
        "SITE-12",
        "high",
        "live",
        "root_tries_to_log_in_over_ssh.sql",
    )
    assert detector.written["attack"] == {"version": "19", "techniques": ["T1110.001"]}
    assert detector.finds.startswith("Somebody tries the account root")
    assert "id 3f0a6c58-0d55-4c8e-9f0f-5d6a0c9f2b11, by hsmtrail" in " ".join(detector.finds.split())
    assert "An administrator who forgot the other account" in " ".join(detector.written["blind_spots"].split())
    assert detector.watches == "family = 'sshd'"


def test_a_draft_keeps_the_law_of_arrival(tmp_path):
    """In whatever order and pieces its lines come, the findings in the end are the same."""
    detector = load(written(tmp_path, RULES / "passwords_from_one_place.yml"))
    rows = [
        {
            "time": f"{moment}:00",
            "device": "hsm1",
            "family": "sshd",
            "source": f"203.0.113.{host}",
            "message": "authentication failure",
        }
        for host, moment in [
            (7, "10:00"),
            (7, "10:04"),
            (7, "10:09"),
            (7, "10:19"),
            (7, "10:20"),
            (8, "10:01"),
            (7, "10:35"),
            (7, "10:29"),
        ]
    ]
    found = set()
    for seed in range(2):
        here, shuffled = Bench([detector]), list(rows)
        random.Random(seed).shuffle(shuffled)
        for row in shuffled:
            here.arrive([row], judge=False)
            here.duty.run()
        found.add(
            tuple(sorted((one.subject, one.first_seen, one.last_seen, one.record_count) for one in here.findings()))
        )
    assert len(found) == 1
    assert [one[3] for one in found.pop()] == [6]


HEAD = "title: T\nlogsource: {product: luna}\ndetection:\n"


def selects(tmp_path, detection, **record):
    """Whether a rule with this detection selects a record."""
    rule = tmp_path / "rule.yml"
    rule.write_text(HEAD + detection, encoding="utf-8")
    sql = understand(read(rule)).condition
    columns = {
        "account": None,
        "message": "",
        "source": None,
        "return_code": None,
        "strike": None,
        "outcome": "",
        "details": "{}",
    } | record
    kinds = {"return_code": "UINTEGER", "strike": "BOOLEAN", "details": "JSON"}
    given = ", ".join(f"CAST(${name} AS {kinds.get(name, 'VARCHAR')}) AS {name}" for name in columns)
    return bool(
        scratch()
        .cursor()
        .execute(f"WITH events AS (SELECT {given}) SELECT 1 FROM events WHERE {sql}", columns)
        .fetchall()
    )


@pytest.mark.parametrize(
    ("selection", "record", "wanted"),
    [
        ("{account: root}", {"account": "ROOT"}, True),
        ("{account|cased: root}", {"account": "ROOT"}, False),
        ("{account: 'ro*'}", {"account": "root"}, True),
        ("{account: 'r??t'}", {"account": "rooot"}, False),
        ("{account: 'r_ot'}", {"account": "root"}, False),
        ("{account: '100%'}", {"account": "100 and more"}, False),
        (r"{account: 'a\*b'}", {"account": "a*b"}, True),
        (r"{account: 'a\*b'}", {"account": "a-b"}, False),
        (r"{account: 'CORP\ops'}", {"account": "corp\\ops"}, True),
        ("{account|contains|all: [ro, ot]}", {"account": "root"}, True),
        ("{account|contains|all: [ro, x]}", {"account": "root"}, False),
        ("{account|startswith: [x, ro]}", {"account": "root"}, True),
        ("{account|endswith: ot}", {"account": "otto"}, False),
        ("{account: null}", {"account": None}, True),
        ("{outcome: ''}", {"outcome": ""}, True),
        ("{account|exists: true}", {"account": None}, False),
        ("{account|neq: root}", {"account": None}, True),
        ("{account: 7}", {"account": "7"}, True),
        ("{return_code: '0x10'}", {"return_code": 16}, True),
        ("{return_code|gte: 16}", {"return_code": 15}, False),
        ("{return_code: [1, 2]}", {"return_code": 2}, True),
        ("{strike: true}", {"strike": True}, True),
        ("{strike: true}", {"strike": None}, False),
        ("{source|cidr: 198.51.100.0/24}", {"source": "198.51.100.255"}, True),
        ("{source|cidr: '2001:db8::/32'}", {"source": "2001:db9::1"}, False),
        ("{message|re: '^a.c$'}", {"message": "abc"}, True),
        ("{message|re: '^a.c$'}", {"message": "a\nc"}, False),
        ("{message|re|s|i: '^A.C$'}", {"message": "a\nc"}, True),
        ("{message|base64offset|contains: secret}", {"message": "x c2VjcmV0 y"}, True),
        ("{details.level: Error}", {"details": '{"level": "error"}'}, True),
        ("['it''s', nothing]", {"message": "well, IT'S so"}, True),
        ("[17]", {"message": "port 17"}, True),
    ],
)
def test_a_selection_means_what_sigma_says(tmp_path, selection, record, wanted):
    """Text without case, wildcards that stand for themselves when escaped, and nothing is unlike everything."""
    assert selects(tmp_path, f"  one: {selection}\n  condition: one\n", **record) is wanted
    assert selects(tmp_path, f"  one: {selection}\n  condition: not one\n", **record) is not wanted


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("1 of s*", True),
        ("all of s*", False),
        ("sa and not (sb or sc)", True),
        ("any of them", True),
        ("sb or sc", False),
    ],
)
def test_conditions_join_selections(tmp_path, condition, wanted):
    """As Sigma has them."""
    detection = (
        f"  sa: {{account: root}}\n  sb: {{account: ops}}\n  sc: {{outcome: failed}}\n  condition: {condition}\n"
    )
    assert selects(tmp_path, detection, account="root") is wanted


HOSTILE = [
    "'); DROP TABLE events; --",
    "it's \"quoted\" \\' \\\\",
    "$window_start $1 ?",
    "*/ SELECT 1 /*",
    "\u202eevil\u200b\u2028",
    "line\nbreak\ttab\x07bell",
    "%_\\%",
    "{braces} {0}",
    "",
    "é 鍵 \N{KEY}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_literal_is_the_text_and_nothing_else(text):
    """No quote ends it, no parameter begins in it, nothing in it is hidden."""
    sql = literal(text)
    assert scratch().cursor().execute(f"SELECT {sql}").fetchall() == [(text,)]
    assert "$" not in sql
    assert sql.isprintable()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_every_text_has_a_literal(text):
    """Whatever characters it has."""
    assert scratch().cursor().execute(f"SELECT {literal(text)}").fetchall() == [(text,)]


@pytest.mark.parametrize("text", [one for one in HOSTILE if one])
def test_hostile_words_in_every_place_are_inert(tmp_path, text):
    """The draft is one SELECT that loads, and finds what holds the very words."""
    import yaml

    rule = {
        "title": text,
        "description": text,
        "author": text,
        "falsepositives": [text],
        "references": [text],
        "logsource": {"product": "luna"},
        "detection": {
            "one": {"account": text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")},
            "condition": "one",
        },
    }
    (tmp_path / "rule.yml").write_text(yaml.safe_dump(rule), encoding="utf-8")
    detector = load(written(tmp_path, tmp_path / "rule.yml"))
    assert detector.written["every"] == "5m"
    here = Bench([detector])
    here.arrive([{"time": "10:00:00", "device": "hsm1", "account": name} for name in (text, "other")], judge=False)
    here.duty.run()
    assert [one.record_count for one in here.findings()] == [1]


def refused(tmp_path, text):
    rule = tmp_path / "rule.yml"
    rule.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RefusedError) as caught:
        understand(read(rule))
    return [str(reason) for reason in caught.value.reasons]


FIELDS = "title: T\nlogsource: {product: linux, service: sshd}\ndetection:\n  one:\n"
COUNT = (
    "title: T\nname: n\nlogsource: {product: luna}\ndetection:\n  one: {account: x}\n  condition: one\n---\ntitle: C\n"
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (FIELDS + "    CommandLine: x\n  condition: one\n", ["rule.yml:5: no column of these lines is CommandLine"]),
        (FIELDS + "    user|expand: '%a%'\n  condition: one\n", ["rule.yml:5: modifier expand has no form"]),
        (FIELDS + "    user|fieldref: host\n  condition: one\n", ["rule.yml:5: modifier fieldref has no form"]),
        (FIELDS + "    user|sneeze: x\n  condition: one\n", ["rule.yml:5: modifier sneeze has no form"]),
        (
            FIELDS + "    Image: x\n    user|hour: 5\n  timeframe: 5m\n  condition: one\n",
            ["rule.yml:5: no column", "rule.yml:6: modifier hour", "rule.yml:7: timeframe: counts are correlations"],
        ),
        (FIELDS + "    user: x\n  condition: one | count() > 5\n", ["rule.yml:6: condition: The pipe syntax"]),
        (FIELDS + "    user: x\n  condition: two\n", ["rule.yml:6: condition: Detection 'two' not defined"]),
        (FIELDS + "    user: x\n  condition: [one, one]\n", ["rule.yml:6: has 2 conditions: wants one"]),
        (FIELDS + "    user: x\n", ["rule.yml:1: pySigma: Sigma rule must contain at least one condition"]),
        (FIELDS + "    src_port: many\n  condition: one\n", ["rule.yml:5: src_port: is a number"]),
        (FIELDS + "    user|gt: 5\n  condition: one\n", ["rule.yml:5: user: is no number"]),
        (FIELDS + "    user|cidr: 192.0.2.0/24\n  condition: one\n", ["rule.yml:5: user: is no address"]),
        (FIELDS + "    user: true\n  condition: one\n", ["rule.yml:5: user: is neither true nor false"]),
        (FIELDS + '    user: "a\\0b"\n  condition: one\n', ["rule.yml:5: user: holds NUL"]),
        (FIELDS + "    user|re: 'a(?=b)'\n  condition: one\n", ["rule.yml:5: RE2 does not know"]),
        (
            "title: T\nlogsource:\n  product: windows\ndetection: {}\n",
            ["rule.yml:2: no lines of ours are this log source"],
        ),
        (
            "title: T\nlogsource: {category: process_creation, product: linux}\ndetection: {}\n",
            ["rule.yml:2: no lines"],
        ),
        ("title: T\ndetection: {}\n", ["rule.yml:1: logsource is missing"]),
        ("title: T\nlogsource: {product: luna}\n", ["rule.yml:1: detection is missing"]),
        (
            COUNT + "correlation: {type: temporal, rules: [n], timespan: 5m}\n",
            ["rule.yml:9: a correlation of type temporal"],
        ),
        (
            COUNT
            + "correlation:\n  type: value_sum\n  rules: [n]\n  timespan: 5m\n  condition: {gte: 1, field: account}\n",
            ["rule.yml:10: a correlation of type value_sum has no form"],
        ),
        (
            COUNT + "correlation:\n  type: event_count\n  rules: [n]\n  timespan: 5m\n  condition: {lt: 3}\n",
            ["rule.yml:13: counts are found when they are reached"],
        ),
        (
            COUNT + "correlation:\n  type: event_count\n  rules: [n]\n  timespan: 2y\n  condition: {gte: 3}\n",
            ["rule.yml:12: timespan: at most 90 days"],
        ),
        (
            COUNT
            + "correlation:\n  type: event_count\n  rules: [n]\n  group-by: [Image]\n  timespan: 5m\n  condition: {gte: 3}\n",
            ["rule.yml:12: no column of these lines is Image"],
        ),
        (
            COUNT + "correlation:\n  type: event_count\n  rules: [other]\n  timespan: 5m\n  condition: {gte: 3}\n",
            ["rule.yml:8: pySigma: Rule 'other' not found"],
        ),
        ("title: T\ncorrelation: {type: event_count}\n", ["rule.yml:1: is a correlation alone"]),
        (COUNT + "logsource: {product: luna}\n", ["rule.yml:8: has 2 documents: wants one rule"]),
        ("title: T\naction: global\n", ["rule.yml:2: action: collections have no form"]),
    ],
)
def test_what_has_no_form_is_refused_with_its_line(tmp_path, text, wanted):
    """Everything that is wrong with the fields at once; nothing is left out in silence."""
    said = refused(tmp_path, text)
    assert len(said) == len(wanted), said
    assert all(one.startswith(begin) for one, begin in zip(said, wanted, strict=True)), said


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (BOMB, "rule.yml:1: anchors and aliases are not taken"),
        ("a: [&x *x]\n", "rule.yml:1:"),
        (b"title: \xff\xfe\n", "rule.yml:1: is not UTF-8"),
        ("x" * (MOST_BYTES + 1), "rule.yml:1: is larger than"),
        ("[" * 30000, "rule.yml:1: is deeper than 12 levels"),
        ("a: 1\n" * 3000, "rule.yml:2000: has more than 4,000 values"),
        ("a: [1, 2\nb: }\n", "rule.yml:2: is not YAML"),
        ("title: T\ntitle: U\n", "rule.yml:2: title is there twice, first in line 1"),
        ("just words", "rule.yml:1: is no Sigma rule"),
        ("", "rule.yml:1: holds no rule"),
        ("- a\n- b\n", "rule.yml:1: is no Sigma rule"),
        ("a: 1\n---\nb: 1\n---\nc: 1\n", "rule.yml:5: has 3 documents"),
        (
            HEAD + "  one: !!python/object/apply:os.system ['true']\n  condition: one\n",
            "rule.yml:1: pySigma cannot read it",
        ),
        ("date: 2026-99-99\n" + HEAD + "  one: {account: x}\n  condition: one\n", "rule.yml:1: pySigma cannot read it"),
        ("id: 5\n" + HEAD + "  one: {account: x}\n  condition: one\n", "rule.yml:1: pySigma cannot read it"),
        (
            HEAD + "  one: {account: x}\n  condition: " + "(" * 40 + "one" + ")" * 40 + "\n",
            "rule.yml:5: the condition is longer",
        ),
        (HEAD + "  one: {account: x}\n  condition: " + "not " * 200 + "one\n", "rule.yml:5: the condition is longer"),
        (HEAD + "  " + "a" * 1000 + ": {account: x}\n  condition: 1 of a*\n", "rule.yml:4: a name of more than 60"),
        (HEAD + "  one: {account: " + "9" * 5000 + "}\n  condition: one\n", "rule.yml:1: pySigma cannot read it"),
        (
            HEAD + "  one: {return_code: '" + "9" * 5000 + "'}\n  condition: one\n",
            "rule.yml:4: return_code: is a number of at most",
        ),
        (
            HEAD + "  one: {message|re: '" + "(a{900}){900}'}\n  condition: one\n",
            "rule.yml:4: RE2 does not know",
        ),
        (HEAD + "  one: []\n  condition: one\n", "rule.yml:5: condition: Null value must be bound"),
        (HEAD + "  one: {account: x}\n  condition: 7\n", "rule.yml:5: the condition wants a text"),
        (HEAD + "  one: {account: x}\n  condition: {a: b}\n", "rule.yml:5: the condition wants a text"),
        (HEAD + "  one: {account: {deeper: 1}}\n  condition: one\n", "rule.yml:4: no column of these lines is deeper"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line_at_once(tmp_path, capfd, text, wanted):
    """Bombs, huge and deep ones, what is no YAML, tags that would run something; none takes longer than a moment."""
    began = time.process_time()
    (said,) = refused(tmp_path, text)
    assert said.startswith(wanted), said
    assert "\n" not in said
    assert len(said) < 1500
    assert time.process_time() - began < 5
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """With the system's own reason."""
    with pytest.raises(RefusedError, match=r"none.yml:1: cannot be read: No such file"):
        read(tmp_path / "none.yml")
