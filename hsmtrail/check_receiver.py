"""What would keep the receiver from its work: certificates, keys, the user that it becomes and what that may read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import hsmtrail
from hsmtrail.privileges import Account, PrivilegeError, account_of, acting_as, whom_to_become
from hsmtrail.wiring_receiver import listener_settings
from ingest.spool_key import KeyTrouble, read_keys
from ingest.tls_files import TlsError, context_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hsmtrail.config import Configuration
    from ingest.sockets import TlsSettings

PROGRAM = (Path(os.__file__), Path(hsmtrail.__file__))
STAYS_ROOT = "receiver.user is not set: started as root, receiver and service stay root"


@dataclass(slots=True)
class ReceiverExamination:
    """Sentences for the reader, and mistakes to mend."""

    notes: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def examine_receiver(configuration: Configuration) -> ReceiverExamination:
    found = ReceiverExamination()
    found.mistakes += [mistake for name, tls in _tls(configuration) for mistake in _certificates(name, tls)]
    found.mistakes += _key(configuration)
    user, group = configuration.receiver.user, configuration.receiver.group
    if not user:
        found.notes += [STAYS_ROOT] if os.geteuid() == 0 else []
        return found
    try:
        account = whom_to_become(user, group)
    except PrivilegeError as error:
        found.mistakes.append(str(error))
        return found
    if account is not None:
        found.mistakes += _out_of_reach(configuration, account_of(user, group))
    return found


def _tls(configuration: Configuration) -> Iterator[tuple[str, TlsSettings]]:
    for item in configuration.listener:
        settings = listener_settings(configuration, item)
        if settings.tls is not None:
            yield item.name, settings.tls


def _certificates(name: str, tls: TlsSettings) -> list[str]:
    try:
        context_of(tls)
    except TlsError as error:
        return [f'listener "{name}": {error}']
    return []


def _key(configuration: Configuration) -> list[str]:
    """The one that is there must be good; a new one needs a folder, and `data_dir` is made when it is not there."""
    path = configuration.key_path
    if os.access(path, os.F_OK):
        try:
            read_keys(path)
        except KeyTrouble as trouble:
            return [str(trouble)]
        return []
    if path.parent == configuration.below() or os.access(path.parent, os.W_OK | os.X_OK):
        return []
    return [f"spool.key_file = {path}: {path.parent} is no folder that this user can write; make it"]


def _out_of_reach(configuration: Configuration, account: Account) -> list[str]:
    """What root can use and the user cannot: it would fail at the first reload, or at the first line."""
    files = [configuration.path.resolve()]
    for _, tls in _tls(configuration):
        files += filter(None, (tls.certificate, tls.key, tls.client_ca, tls.revocation_list))
    above = next(folder for folder in configuration.below().parents if folder.exists())
    with acting_as(account):
        unread = [path for path in files if not _may(path, os.R_OK)]
        no_python = [path for path in PROGRAM if not _may(path, os.R_OK)]
        reached = _may(above, os.X_OK)
    who = f'receiver.user = "{account.user}"'
    mistakes = [f"{path}: cannot be read by {who}; SIGHUP and renewed certificates need that" for path in unread]
    mistakes += [f"{path}: cannot be read by {who}; Python and hsmtrail must be where it can" for path in no_python]
    return mistakes + ([] if reached else [f"{above}: cannot be entered by {who}; data_dir is below it"])


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=True)
