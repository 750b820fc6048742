"""Fixtures for all tests."""

import os

import pytest

from support.installation import BASIC, Site

USUAL = os.umask(0o022)
os.umask(USUAL)


@pytest.fixture(autouse=True)
def usual_umask():
    """Commands that are typed in this process keep what they write private, for as long as a process lives."""
    os.umask(USUAL)


@pytest.fixture
def site(tmp_path):
    """An installation with one UDP and one TCP listener; nothing runs yet."""
    here = Site(tmp_path)
    here.write(BASIC)
    yield here
    here.stop()
