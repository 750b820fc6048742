"""Why a line is known, or how far the best pattern came in it."""

import time

import pytest

from parsers.explain import explain

HEAD = b"<174>Nov 23 08:15:01 hsm-1 "


@pytest.mark.parametrize(
    ("line", "pattern", "column", "wanted"),
    [
        (
            b'NTLS[7]: NTLS Client "app-1" connected and refused : 192.0.2.7/1',
            "ntls.client_connected",
            35,
            "'authenticated'",
        ),
        (
            b"NTLS[7]: info : 0 : Incoming connection request... : nobody",
            "ntls.connection_requested",
            45,
            "{origin:peer}",
        ),
        (
            b"sshd[9]: Failed password for admin at 203.0.113.7 port 4711 ssh2",
            "sshd.failed",
            21,
            "'from' somewhere after it",
        ),
        (
            b"lunash[7]: info : 0 : Command: hsm show  admin : Console",
            "lunash.command",
            46,
            "a blank",  # before the origin: without its colon the account is read as part of the command
        ),
        (b"NTLS[7]: what is this", "", 0, "a pattern: none begins like it"),
        (b"unheard[7]: x", "", 0, "a file of patterns for the program 'unheard'"),
    ],
)
def test_the_best_pattern_says_where_it_stopped(patterns, line, pattern, column, wanted):
    """The column of the message, and what should have come there."""
    why = explain(HEAD + line, patterns)
    assert (why.known, why.pattern, why.wanted) == (False, pattern, wanted)
    assert why.column == column


def test_a_known_line_names_its_pattern(patterns):
    """Name, version, file and line."""
    why = explain(HEAD + b"oamp[7]: CRIT: Fatal error 0x00300203", patterns)
    assert (why.known, why.pattern, why.file) == (True, "oamp.fatal", "oamp.toml")
    assert why.version
    assert why.line > 1


def test_a_known_command_wants_nothing(patterns):
    """The same line with its colon."""
    why = explain(HEAD + b"lunash[7]: info : 0 : Command: hsm show  : admin : Console", patterns)
    assert (why.known, why.pattern, why.column, why.wanted) == (True, "lunash.command", 0, "")


def test_secrets_stay_masked(patterns):
    """An explanation shows no more than the record would."""
    line = b"lunash[7]: info : 0 : Command: partition create -password Sup3rSecret : admin"
    why = explain(HEAD + line, patterns)
    assert "Sup3rSecret" not in repr(why)


@pytest.mark.parametrize("line", [b"", b"\0" * 64, b"\xff\xfe", HEAD + b"NTLS[7]: " + b"a : " * 16000, b"[" * 60000])
def test_anything_is_explained_in_bounded_time(patterns, line):
    """Hostile lines too."""
    began = time.process_time()
    explain(line, patterns)
    assert time.process_time() - began < 10
