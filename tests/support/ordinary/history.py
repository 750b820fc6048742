"""Five weeks before, as the site's archives of audit files and shell logs have them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from support.ordinary.life import USES, backup, every
from support.ordinary.site import JUMP_HOST, LOG_HOST, MONDAY, PATCH, SECOND_JUMP_HOST, Scale, Window
from support.ordinary.wire import Pen, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS = 35
TESTED = MONDAY - timedelta(days=12, hours=-9)
WINDOWS = (Window("hsm-tst-1", TESTED, TESTED + timedelta(hours=2), "CHG-1090", "patch"),)
FORGOTTEN_DAYS = 29
"""A partition that nobody backs up any more was backed up last so long before Monday."""


def remember(pen: Pen, scale: Scale, forgotten: Sequence[int]) -> None:
    """Sessions and backups of each night, and how keys of the first partition were used, at the rhythm of this week."""
    begin = MONDAY - timedelta(days=DAYS)
    for day in range(DAYS):
        at = begin + timedelta(days=day)
        pen.forgotten = forgotten if day > DAYS - FORGOTTEN_DAYS else ()
        backup(pen, at + timedelta(hours=1, minutes=10))
        Session(pen, at + timedelta(hours=2, minutes=30), "auditor", LOG_HOST).close()
    for day in range(1, DAYS, 7):
        for hour, account, address in ((9, "opsadmin", JUMP_HOST), (10, "opsdeputy", SECOND_JUMP_HOST)):
            Session(pen, pen.device.office(day - DAYS, hour, 30), account, address).close()
    if pen.device.profile == "test":
        tested_first(pen)
    for application in pen.device.applications[:1]:
        for at in every(pen, 60 / scale.connections, MONDAY - timedelta(days=28), MONDAY - timedelta(hours=1)):
            for number in range(scale.uses):
                pen.record(at + timedelta(seconds=number), pen.chance.choice(USES), 9, container=application.container)


def tested_first(pen: Pen) -> None:
    """The package of this week's patch night, on the test device."""
    session = Session(pen, TESTED + timedelta(minutes=10), "opsadmin", JUMP_HOST)
    session.run(f"package update {PATCH}")
    session.close()
