"""Fixtures for all tests."""

import pytest

from support.installation import BASIC, Site


@pytest.fixture
def site(tmp_path):
    """An installation with one UDP and one TCP listener; nothing runs yet."""
    here = Site(tmp_path)
    here.write(BASIC)
    yield here
    here.stop()
