"""From root to a user that may do little, once and for good: see setuid(2), setgroups(2), prctl(2)."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import signal
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsmtrail.failures import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2


class PrivilegeError(Misuse):
    """One sentence: who cannot become whom, and what to do."""


def keep_private() -> None:
    """What this process makes from now on is its owner's alone. DuckDB makes the log of the store, which holds lines
    as they came, at any time and as the umask says.
    """
    os.umask(0o077)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom to become; `groups` are those of the user and nothing else."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def account_of(user: str, group: str = "") -> Account:
    """PrivilegeError when there is no such user or group."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeError(f'receiver.user = "{user}": this machine has no such user; useradd makes one') from None
    try:
        gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    except KeyError:
        raise PrivilegeError(f'receiver.group = "{group}": this machine has no such group') from None
    return Account(user, entry.pw_uid, gid, tuple(os.getgrouplist(user, gid)))


def whom_to_become(user: str, group: str = "") -> Account | None:
    """None: stay who we are. PrivilegeError when that is neither root nor this user."""
    if not user:
        return None
    account = account_of(user, group)
    if os.geteuid() == 0:
        return account
    if os.geteuid() != account.uid:
        raise PrivilegeError(
            f'receiver.user = "{user}": only root can become another user; start as root or as {user}, or take it out'
        )
    return None


def become(account: Account) -> None:
    """All threads of this process, for good; the signal that ends it with its parent stays set."""
    libc = ctypes.CDLL(None)
    with_parent = ctypes.c_int()
    libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(with_parent))
    parent = os.getppid()
    os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if account.uid and 0 in os.getresuid():
        raise PrivilegeError(f'receiver.user = "{account.user}": root was not given up')
    os.environ.update(USER=account.user, LOGNAME=account.user)
    if with_parent.value:  # the kernel forgets it with the user
        libc.prctl(PR_SET_PDEATHSIG, with_parent.value)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """For a moment, with the way back: to look what that user may do. The whole process; not where threads work."""
    groups = os.getgroups()
    os.setgroups(account.groups)
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        os.setegid(os.getgid())
        os.setgroups(groups)


def give(folder: Path, account: Account) -> None:
    """Make the folder, private, if it is not there; what of it belongs to root becomes the account's.

    Follows no link and takes no file that has another name elsewhere: the folder may hold what a stranger put there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _, _, files, within in os.fwalk(folder):
        if os.fstat(within).st_uid == 0:
            os.fchown(within, account.uid, account.gid)
        for name in files:
            with suppress(FileNotFoundError):  # of a receiver that runs: replaced meanwhile
                _give_file(name, within, account)


def _give_file(name: str, within: int, account: Account) -> None:
    found = os.stat(name, dir_fd=within, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == 0:
        os.chown(name, account.uid, account.gid, dir_fd=within, follow_symlinks=False)
