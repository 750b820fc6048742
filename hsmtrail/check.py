"""`hsmtrail check`: everything that could be wrong before anything is started, all at once."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

from hsmtrail import wiring
from hsmtrail.check_receiver import examine_receiver
from hsmtrail.client import running_service
from hsmtrail.config import ConfigurationError, load
from hsmtrail.config_checks import split_address
from hsmtrail.errands.status import receiver_status
from hsmtrail.failures import Failure
from hsmtrail.usable import usable
from hsmtrail.version_lock import differences

if TYPE_CHECKING:
    from pathlib import Path

    from hsmtrail.config import Configuration

OUR_PACKAGES = ("hsmtrail", "reports", "analytics", "ingest", "store", "parsers")
UNREAD = {"retention": "this version deletes nothing"}
"""Tables that are checked, and what nothing in this version does with them."""


@dataclass(slots=True)
class Examination:
    """What was found: notes for the reader, mistakes to mend."""

    notes: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def examine(path: Path, *, machine: bool = True) -> Examination:
    """Configuration, patterns, detectors, packages; and of this machine the folders and ports. What is wrong in one
    place of the file keeps nothing else from being looked at.
    """
    found = Examination()
    whole, broken = True, frozenset[str]()
    try:
        configuration: Configuration | None = load(path)
    except ConfigurationError as error:
        found.mistakes += [f"{path}: {mistake}" for mistake in error.mistakes]
        whole = False
        configuration, broken = usable(path) or (None, broken)
    found.mistakes += wiring.pattern_mistakes(configuration) + wiring.detector_mistakes(configuration)
    found.mistakes += _strangers()
    if configuration is not None:
        _versions(configuration, found)
    if configuration is not None and machine:
        found.mistakes += [] if "data_dir" in broken else _folder(configuration.below())
        found.mistakes += _ports(configuration)
        if whole:
            _examine_whole(configuration, found)
    if not found.mistakes:
        found.notes.append(f"{path}: nothing is wrong")
    return found


def _examine_whole(configuration: Configuration, found: Examination) -> None:
    receiver = examine_receiver(configuration)
    found.mistakes += receiver.mistakes
    found.notes += receiver.notes + _unread(configuration)
    if not configuration.listener:
        found.mistakes.append(
            f"{configuration.path}: listener  wants at least one [[listener]], or nothing is received"
        )
    if not configuration.device:
        found.notes.append("no [[device]] is named: silence and drift cannot be noticed")


def _versions(configuration: Configuration, found: Examination) -> None:
    """Detectors that are not as they were approved: notes, since an upgrade must not keep a service from starting."""
    try:
        found.notes += differences(configuration, list(wiring.all_detectors(configuration)))
    except Failure as failure:
        found.mistakes.append(str(failure))


def _ports(configuration: Configuration) -> list[str]:
    """Those that nothing of ours has at the moment."""
    mistakes = []
    if not receiver_status(configuration)["running"]:
        mistakes += [trouble for item in configuration.listener for trouble in _port(item.protocol, item.address)]
    try:
        if running_service(configuration) is None:
            mistakes += _port("tcp", configuration.web.address, "web.address")
    except Failure as failure:
        mistakes.append(str(failure))
    return mistakes


def _unread(configuration: Configuration) -> list[str]:
    """What is set, and has no effect."""
    return [
        f"[{name}] is well formed; {what}"
        for name, what in UNREAD.items()
        if getattr(configuration, name) not in ([], type(configuration).model_fields[name].default)
    ]


def _folder(folder: Path) -> list[str]:
    """data_dir, or the nearest folder above it that is there, must be writable."""
    existing = next(above for above in (folder, *folder.parents) if above.exists())
    if not existing.is_dir():
        return [f"{existing}: is no folder; data_dir = {folder} needs one"]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [f"{existing}: cannot be written by this user; data_dir = {folder} needs that"]
    return []


def _port(protocol: str, address: str, place: str = "listener") -> list[str]:
    """Bind it for a moment: ports in use and ports that this user may not have show here."""
    host, port = split_address(address)
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as trial:
        if kind == socket.SOCK_STREAM:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return [f"{place} {protocol} {address}: cannot be bound: {error.strerror}"]
    return []


def _strangers() -> list[str]:
    """Another distribution that ships one of our package names would silently take its place."""
    owners = packages_distributions()
    return [
        f"package {name!r} is also shipped by {', '.join(sorted(others))}: install hsmtrail in a place of its own"
        for name in OUR_PACKAGES
        if (others := set(owners.get(name, [])) - {"hsmtrail"})
    ]
