"""Commands as people type them, run in this process: the same entry, streams and exit status, without its start."""

import io
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

from hsmtrail.cli import main

INTERRUPTED = 130
"""How a command ends that somebody stopped at the keyboard."""


def typed(*words, input=None, text=True, cwd="."):  # noqa: A002  (as subprocess.run names it)
    """What `hsmtrail WORDS` prints and how it ends, as subprocess.run would give it."""
    given = input.encode("utf-8", "surrogateescape") if isinstance(input, str) else input or b""
    streams = [_stream(given), _stream(), _stream()]
    with ExitStack() as stack:
        stack.enter_context(chdir(cwd))
        stack.enter_context(patch.object(sys, "argv", ["hsmtrail", *map(str, words)]))
        stack.enter_context(patch.object(sys, "stdin", streams[0]))
        stack.enter_context(redirect_stdout(streams[1]))
        stack.enter_context(redirect_stderr(streams[2]))
        status = _status()
    printed = [stream.buffer.getvalue() for stream in streams[1:]]
    return CompletedProcess(words, status, *(part.decode() if text else part for part in printed))


def _stream(octets=b""):
    return io.TextIOWrapper(io.BytesIO(octets), encoding="utf-8", newline="\n", write_through=True)


def _status():
    try:
        main()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            raise KeyboardInterrupt from None  # whoever stops the tests means the tests
        return end.code or 0
    return 0
