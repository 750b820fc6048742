"""What a message carries, and how it counts down."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.message import (
    TrialMessage,
    as_text,
    bounded,
    countdown,
    from_text,
)
from support.alerting import FINDING, KEY, NOON, PACK

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("message", [FINDING, PACK, TrialMessage("test", KEY, NOON)])
def test_round_trip(message):
    """A message comes out of the outbox as it went in."""
    assert from_text(as_text(message)) == message


@pytest.mark.parametrize("text", ["", "{}", '{"type": "finding"}', as_text(PACK).replace(KEY, "\\r\\nBcc: x")])
def test_what_is_no_message_is_refused(text):
    """Half a message, or a key that would break a header, is a ValueError."""
    with pytest.raises(ValueError, match="validation error"):
        from_text(text)


@given(JSON)
def test_bounded_is_plain_json(value):
    """Whatever a detector's columns hold goes through strict JSON and comes back."""
    small = bounded(value)
    assert json.loads(json.dumps(small, allow_nan=False)) == small


def test_bounded_cuts():
    """Long texts, long lists and deep nests are cut, so that a message stays small."""
    assert bounded("x" * 3000) == "x" * 2000 + " … 1000 more"
    assert len(bounded(list(range(1000)))) == 50
    assert bounded({"a": {"b": {"c": {"d": 1}}}}) == {"a": {"b": {"c": '{"d": 1}'}}}


@pytest.mark.parametrize(
    ("columns", "subject", "words"),
    [
        ({"tries_left": 1, "role": "so"}, "", "HSM zeroizes itself"),
        ({"tries_left": 1}, "so on hsm1", "HSM zeroizes itself"),
        ({"tries_left": 3, "role": "po"}, "", "partition is zeroized"),
        ({"tries_left": 3, "role": "co"}, "", "policy 15"),
        ({"tries_left": 3, "role": "cu"}, "", "higher role"),
        ({"tries_left": 1, "role": "au"}, "", "ten minutes"),
        ({"tries_left": 1, "role": "??"}, "", "role is not known"),
        ({"tries_left": 1, "role": "so", "ended": True}, "", "logged in since"),
        (
            {"tries_left": 1, "consequence": "after 1 more the HSM erases itself"},
            "",
            "After 1 more the HSM erases itself",
        ),
        ({"tries_left": 0, "consequence": "the HSM has erased itself", "ended": True}, "", "The HSM has erased itself"),
    ],
)
def test_what_happens_at_zero(columns, subject, words):
    """The reader learns how many tries are left and what the HSM does then."""
    found = countdown(columns, subject)
    assert found is not None
    assert found.tries_left == columns["tries_left"]
    assert words in found.then


@pytest.mark.parametrize("columns", [{}, {"tries_left": None}, {"tries_left": "2"}, {"tries_left": True}])
def test_nothing_to_count(columns):
    """Other detectors count nothing down."""
    assert countdown(columns, "so on hsm1") is None


def test_messages_do_not_change():
    """They are frozen: what was written is what is sent."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        FINDING.severity = "low"
