"""What the configuration says of devices, people and networks, in the store and to detectors."""

import ipaddress
from dataclasses import replace
from datetime import datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.detector import load, load_all
from analytics.manners import scratch
from analytics.networks import ends
from hsmtrail import context
from hsmtrail.config import load as load_configuration
from hsmtrail.config_checks import WorkingHours, working_hours
from support.bench import Bench, in_memory, write_detector

SITE = """
data_dir = "data"
[[device]]
name = "hsm1"
partner = "hsm2"
firmware_minimum = "7.7.1"
backup_serials = ["700301"]
working_hours = "mon-fri 07:00-19:00"
holidays = ["2026-12-25"]
[[device]]
name = "hsm2"
[[account]]
name = "ops"
devices = ["hsm1"]
roles = ["admin", "so"]
owner = "Operations"
until = "2026-12-31"
[[range]]
name = "jump hosts"
cidr = "192.0.2.48/28"
use = ["admin"]
[[client]]
name = "app-1"
addresses = ["192.0.2.101"]
partitions = ["20"]
[[partition]]
device = "hsm1"
container = "20"
guarded = true
limits = { co = 5 }
[[allow]]
detector = "TEST-01"
match = { subject = "failures on hsm1" }
owner = "Operations"
reason = "a probe with an old password"
until = "2024-11-30"
"""


@pytest.fixture
def configuration(tmp_path):
    path = tmp_path / "hsmtrail.toml"
    path.write_text(SITE)
    return load_configuration(path)


@pytest.fixture
def db(configuration):
    db = in_memory()
    context.write(db, configuration)
    return db


@pytest.fixture
def ask(db):
    def answer(sql):
        with db.reader() as cursor:
            return cursor.execute(sql).fetchall()

    return answer


def test_all_of_it_is_in_the_store(ask):
    """Each table of the configuration has its own."""
    assert ask("SELECT name, partner, firmware_minimum, backup_serials FROM devices ORDER BY name") == [
        ("hsm1", "hsm2", "7.7.1", ["700301"]),
        ("hsm2", "", "", []),
    ]
    assert ask("SELECT working_days, working_from, working_until FROM devices ORDER BY name") == [
        ([1, 2, 3, 4, 5], time(7), time(19)),
        ([], None, None),
    ]
    assert ask("FROM accounts") == [("ops", ["hsm1"], ["admin", "so"], "Operations", datetime(2027, 1, 1))]
    assert ask("FROM clients") == [("app-1", ["192.0.2.101"], [], ["20"])]
    assert ask("SELECT device, container, guarded, ephemeral, limits->>'co' FROM partitions") == [
        ("hsm1", "20", True, False, "5")
    ]


def test_an_address_is_found_in_its_range(ask):
    """By address_key, which text that is no address does not pass."""
    found = ask("""
        SELECT source, name FROM unnest(['192.0.2.63', '192.0.2.64', '300.0.2.50', 'Console', NULL]) AS asked(source)
        LEFT JOIN ranges ON address_key(source) BETWEEN first AND last
    """)
    assert dict(found) == {
        "192.0.2.63": "jump hosts",
        "192.0.2.64": None,
        "300.0.2.50": None,
        "Console": None,
        None: None,
    }


def key(address):
    return scratch().cursor().execute("SELECT address_key($address)", {"address": str(address)}).fetchall()[0][0]


@given(st.ip_addresses())
def test_keys_are_in_the_order_of_addresses(address):
    """However an address is written; the ends of a network are keys too."""
    assert (key(address), key(address)) == ends(str(address))
    assert key(address) == key(str(address).upper())
    if address.version == 6:
        assert key(address) == key(address.exploded)


def test_an_address_of_ipv4_within_ipv6_is_that_of_ipv4():
    """Programs that listen for both print it so."""
    assert key("::ffff:192.0.2.1") == key("192.0.2.1") == key(ipaddress.ip_address("::ffff:c000:201"))


def test_writing_again_repeats_nothing(db, configuration, ask):
    """Also not what is allowed; what is gone from the file is gone from the store."""
    context.write(db, configuration)
    assert ask("SELECT count(*) FROM devices, accounts, suppressions") == [(2,)]
    context.write(db, configuration.model_copy(update={"allow": [], "range": []}))
    assert ask("SELECT (SELECT count(*) FROM suppressions), (SELECT count(*) FROM ranges)") == [(0, 0)]


def test_what_is_allowed_opens_nothing_and_is_counted(db, tmp_path, ask):
    """Of the 90 days up to its last day; the rest is found."""
    here = Bench([load(write_detector(tmp_path))], db=db)
    here.arrive("""
    time             | device | operation | outcome
    2024-11-23 10:00 | hsm1   | login     | failed
    2024-11-23 10:00 | hsm2   | login     | failed
    2024-12-01 10:00 | hsm1   | login     | failed
    """)
    assert {(one.subject, one.first_seen.month) for one in here.findings()} == {
        ("failures on hsm1", 12),
        ("failures on hsm2", 11),
    }
    assert ask("SELECT max(suppressed) FROM runs") == [(1,)]


def test_what_nobody_configured_is_not_measured(configuration, tmp_path):
    """Each part of a detector with the devices that it lacks; nothing where all is said."""
    needs = 'needs = { accounts = "strangers", admin_ranges = "places", client_ranges = "clients from elsewhere" }'
    detector = load(write_detector(tmp_path, more=needs))
    said = context.not_measured(configuration, [detector])
    assert said == {
        "TEST-01": 'strangers on hsm2: no [[account]]; clients from elsewhere: no [[range]] with use "client"'
    }
    assert context.not_measured(configuration, [replace(detector, enabled=False)]) == {}
    here = Bench([detector])
    here.begin_duty(not_measured=said)
    here.arrive("time | device | operation\n10:00:00 | hsm1 | logout")
    assert here.ask("SELECT DISTINCT not_measured FROM runs") == [(said["TEST-01"],)]


def test_a_pair_is_declared_by_either_member(configuration, tmp_path):
    """Both are members, whichever names the other."""
    detector = load(write_detector(tmp_path, more='needs = { partner = "pairs" }'))
    assert context.not_measured(configuration, [detector]) == {}
    alone = [device.model_copy(update={"partner": ""}) for device in configuration.device]
    said = context.not_measured(configuration.model_copy(update={"device": alone}), [detector])
    assert said == {"TEST-01": "pairs: no partner"}


def test_every_need_of_a_detector_can_be_said():
    """The configuration knows a word for all of them."""
    assert {need for detector in load_all() for need in detector.needs} <= context.SAYS.keys()


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("mon-fri 07:00-19:00", WorkingHours((1, 2, 3, 4, 5), 420, 1140)),
        ("mon,wed,sat-sun 08:30-24:00", WorkingHours((1, 3, 6, 7), 510, 1440)),
        ("sat-mon 00:00-00:01", WorkingHours((1, 6, 7), 0, 1)),
    ],
)
def test_working_hours(text, hours):
    """Days and one span of the day."""
    assert working_hours(text) == hours


@pytest.mark.parametrize(
    "text", ["mon-fri", "07:00-19:00", "mon-fri 19:00-07:00", "fre 07:00-19:00", "mon 07:00-24:01"]
)
def test_working_hours_that_are_none(text):
    """Each is told what is wanted."""
    with pytest.raises(ValueError, match="wants days and a span of the day"):
        working_hours(text)
