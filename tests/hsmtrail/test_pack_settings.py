"""What a site sets for its detectors reaches the pack."""

from hsmtrail.config import load
from hsmtrail.desk import open_desk
from support.installation import BASIC

OWN = """
[detectors.CONF-01]
enabled = false
[detectors.PRIV-03.parameters]
grace_minutes = 40
[detectors.AUTH-02.parameters]
limits = { co = 5 }
"""


def settings_of(site):
    desk = open_desk(load(site.config))
    desk.db.close()
    return desk.pack_settings()


def test_as_delivered(site):
    """Every detector is on, and a change window is forgiven as much as PRIV-03 forgives."""
    settings = settings_of(site)
    assert all(note.enabled for note in settings.detectors)
    assert settings.grace_minutes == 15


def test_a_sites_own_values(site):
    """A detector that is switched off is named as such, and grace and limits are the site's."""
    site.write(BASIC + OWN)
    settings = settings_of(site)
    assert [note.id for note in settings.detectors if not note.enabled] == ["CONF-01"]
    assert settings.grace_minutes == 40
    assert settings.limit("hsm-1", "", "co") == 5


def test_a_detector_that_is_off_cannot_be_run(site):
    """It is said, with the key that does it, instead of a run that finds nothing."""
    site.write(BASIC + OWN)
    done = site.command("detectors", "run", "CONF-01", check=False)
    assert (done.returncode, "[detectors.CONF-01] enabled = false" in done.stderr) == (2, True)
    assert "CONF-01" not in {row["detector"] for row in site.json("detectors", "run", "--all")}
