"""Fixtures of pack tests: an empty store, one with a lively week, and settings."""

import pytest

from reports.pack import make_pack
from reports.settings import DetectorNote, PackSettings
from support.shelf import WEEK, Shelf, lively_week


@pytest.fixture
def shelf():
    made = Shelf()
    yield made
    made.con.close()


@pytest.fixture(scope="session")
def lively():
    """Made once: whoever makes packs of it reads it only."""
    made = Shelf()
    lively_week(made)
    yield made
    made.con.close()


@pytest.fixture(scope="session")
def settings():
    """Settings with two detectors, as the wiring would hand them over."""
    return PackSettings(
        organisation="Example Bank",
        hsmtrail_version="0.1.0",
        patterns_version="7",
        detectors=(
            DetectorNote(
                id="AUTH-01",
                title="Wrong secret of a Security Officer",
                severity="high",
                finds="The third wrong secret in a row empties the HSM.",
                blind_spots="A prompt that nobody answers\nis not logged.",
                runbook="1. Stop all attempts; ask the role's owner.\n2. Let the owner log in once.",
                sha256="ab" * 32,
            ),
            DetectorNote(
                id="PRIV-03",
                title="Privileged operation outside a change window",
                severity="medium",
                finds="Nobody approved it.",
                blind_spots="A window approved for another HSM of the same name.",
                runbook="1. Ask the change manager for a ticket.",
                sha256="cd" * 32,
            ),
        ),
    )


@pytest.fixture
def pack(shelf):
    """Makes the pack of the week from what the test has put on the shelf."""
    return lambda settings=PackSettings(): make_pack(shelf.con, WEEK, settings)  # noqa: B008
