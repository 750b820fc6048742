"""Ends of a command that are not success: one sentence for the user, and an exit status."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818  (the word the user thinks in)
    """Something was found wrong, or could not be done: exit status 1."""

    status = 1


class Misuse(Failure):
    """Used wrongly: bad configuration, bad arguments, a refused statement: exit status 2."""

    status = 2
