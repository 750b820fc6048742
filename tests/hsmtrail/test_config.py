"""Configuration: what is accepted, and how mistakes are told."""

from pathlib import Path

import pytest

from hsmtrail.config import ConfigurationError, load
from hsmtrail.config_checks import seconds, split_address, split_server, weekly
from hsmtrail.failures import Misuse
from hsmtrail.template import write_configuration

MINIMAL = 'data_dir = "data"\n'
ALLOW = '[[allow]]\ndetector = "AUTH-01"\nmatch = {match}\nowner = "a"\nreason = "b"\nuntil = "{until}"\n'
TLS = '[[listener]]\nname = "a"\nprotocol = "tls"\naddress = "127.0.0.1:0"\ncertificate = "a"\nkey = "b"\n'
LISTENER = '[[listener]]\nname = "a"\nprotocol = "udp"\naddress = "127.0.0.1:0"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "hsmtrail.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_init_writes_a_file_that_loads(tmp_path):
    """What `init` writes is a valid configuration, and it is never overwritten."""
    path = write_configuration(tmp_path / "new")
    assert load(path).listener[0].protocol == "udp"
    with pytest.raises(Misuse, match="already there"):
        write_configuration(tmp_path / "new")


def test_init_says_when_it_cannot_write(tmp_path):
    """A folder that cannot be made is one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Misuse, match="cannot be written"):
        write_configuration(tmp_path / "file" / "below")


def test_every_key_of_the_template_is_a_real_key(tmp_path):
    """Commented keys of the template are accepted when a user takes the comment signs away."""
    template = write_configuration(tmp_path).read_text(encoding="utf-8")
    lines = []
    for line in template.splitlines():
        bare = line[2:] if line.startswith("# ") and ("=" in line or line.startswith("# [")) else line
        lines.append(bare)
    text = "\n".join(
        line for line in lines if "_SECRET" not in line and "_PASSWORD" not in line and "token_sha256" not in line
    )
    text = text.replace("[[web.user]]", "").replace('name = "analyst"', "").replace('role = "reader"', "")
    text = text.replace('partner = "hsm-2"', 'partner = ""')
    configuration = load(written(tmp_path, text))
    assert configuration.alert.email[0].sender == "hsmtrail@example.org"
    assert configuration.detectors["AUTH-02"].parameters["limits"]["co"] == 5


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "data_dir  is missing"),
        (MINIMAL + "colour = 1\n", "colour  is no key of this table"),
        (MINIMAL + '[[listener]]\nname = "a"\nprotocol = "udp"\n', "listener[1].address  is missing"),
        (MINIMAL + LISTENER.replace("udp", "carrier"), "listener[1].protocol = 'carrier'"),
        (MINIMAL + LISTENER.replace("127.0.0.1:0", "localhost"), 'wants "ADDRESS:PORT"'),
        (MINIMAL + LISTENER.replace("127.0.0.1:0", "300.0.0.1:5"), "300.0.0.1 is none"),
        (MINIMAL + LISTENER.replace("127.0.0.1:0", "127.0.0.1:99999"), 'wants "ADDRESS:PORT"'),
        (MINIMAL + LISTENER + 'allow = ["192.0.2.1/24"]\n', "host bits must be zero"),
        (MINIMAL + LISTENER + "max_message = 10\n", "greater than or equal to 480"),
        (MINIMAL + LISTENER + 'idle_after = "soon"\n', "wants a duration"),
        (MINIMAL + LISTENER + LISTENER, "listener.name  'a' stands 2 times"),
        (
            MINIMAL + (LISTENER + LISTENER.replace('"a"', '"b"')).replace(":0", ":5514"),
            "listener address  'udp 127.0.0.1:5514' stands 2 times",
        ),
        (
            MINIMAL + (TLS + LISTENER.replace('"a"', '"b"').replace("udp", "tcp")).replace(":0", ":5514"),
            "listener address  'tcp 127.0.0.1:5514' stands 2 times",
        ),
        (MINIMAL + TLS.replace("key", "#"), "listener[1].key  is missing; TLS wants it"),
        (MINIMAL + TLS.replace("certificate", "#"), "listener[1].certificate  is missing; TLS wants it"),
        (MINIMAL + TLS + 'revocation_list = "c"\n', "listener[1].revocation_list  wants a client_ca"),
        (MINIMAL + TLS + 'minimum_version = "1.1"\n', "should be '1.2' or '1.3'"),
        (MINIMAL + TLS + "workers = 2\n", "listener[1].workers  means nothing for tls; it is for udp"),
        (
            MINIMAL + LISTENER + "turn_bytes = 4096\n",
            "listener[1].turn_bytes  means nothing for udp; it is for tcp and tls",
        ),
        (MINIMAL + LISTENER + "workers = 17\n", "less than or equal to 16"),
        (MINIMAL + '[receiver]\nuser = "a b"\n', "receiver.user = 'a b'"),
        (MINIMAL + '[receiver]\ndrain_for = "0s"\n', "receiver.drain_for = '0s'  wants a duration"),
        (
            MINIMAL + '[[device]]\nname = "x"\ncertificates = ["c"]\n[[device]]\nname = "y"\ncertificates = ["C"]\n',
            "device.certificates  'c' stands 2 times",
        ),
        (MINIMAL + '[[device]]\nname = "x"\npartner = "y"\n', "wants the name of another [[device]]"),
        (
            MINIMAL + '[[device]]\nname = ["x"]\npartner = "y"\n',
            "device[1].name = ['x']  input should be a valid string",
        ),
        (MINIMAL + '[[partition]]\ndevice = "x"\n', "partition[1].device = 'x'  wants the name of a [[device]]"),
        (
            MINIMAL + '[[device]]\nname = "x"\n' + 2 * '[[partition]]\ndevice = "x"\ncontainer = "20"\n',
            "partition.container  'x 20' stands 2 times",
        ),
        (
            MINIMAL + '[[device]]\nname = "x"\nhosts = ["h"]\n[[device]]\nname = "y"\nhosts = ["H"]\n',
            "device.hosts  'h'",
        ),
        (MINIMAL + '[[device]]\nname = "x"\ntime_zone = "Mars/One"\n', "wants a time zone"),
        (MINIMAL + '[[device]]\nname = "x"\nexpects = ["tea"]\n', "device[1].expects[1] = 'tea'"),
        (MINIMAL + '[report]\nschedule = "daily"\n', 'wants a day and a time, such as "mon 06:00"'),
        (MINIMAL + '[report]\nrecipients = ["a@example.org"]\n', "wants an [[alert.email]] that can send"),
        (MINIMAL + '[[alert.webhook]]\nname = "w"\nurl = "ftp://x"\n', "alert.webhook[1].url"),
        (
            MINIMAL + '[[alert.webhook]]\nname = "w"\nurl = "http://x"\nsecret_env = "NOT_SET_ANYWHERE"\n',
            "no such environment variable is set",
        ),
        (
            MINIMAL + '[[alert.webhook]]\nname = "w"\nurl = "http://x"\nsecret_file = "absent"\n',
            "secret_file = 'absent'  cannot be read",
        ),
        (
            MINIMAL + '[[alert.webhook]]\nname = "w"\nurl = "http://x"\nsecret_file = "a"\nsecret_env = "B"\n',
            "has both secret_env and secret_file",
        ),
        (MINIMAL + '[web]\naddress = "127.0.0.1"\n', "web.address"),
        (MINIMAL + '[[alert.email]]\nname = "m"\nsmtp = "x"\nfrom = "no"\nto = ["a@b"]\n', "wants a mail address"),
        ("data_dir = [", "is not TOML"),
        (MINIMAL + LISTENER.replace('"a"', '"a b"'), "listener[1].name = 'a b'  wants a name of letters"),
        (MINIMAL + '[[device]]\nname = "x"\nsince = "2026-02-30"\n', "device[1].since = '2026-02-30'  wants a day"),
        (MINIMAL + '[retention]\nhot = "soon"\n', "wants a duration"),
        (MINIMAL + ALLOW.format(match="{}", until="2020-01-01"), "allow[1].match = {}  wants at least one column"),
        (MINIMAL + ALLOW.format(match='{ device = "x" }', until="2999-01-01"), "wants a day at most 90 days ahead"),
        (MINIMAL + ALLOW.format(match='{ device = "x" }', until="soon"), "allow[1].until = 'soon'  wants a day"),
    ],
)
def test_a_mistake_names_its_key_and_what_is_wanted(tmp_path, text, wanted):
    """Each mistake is a line with the key's place and what is wanted there."""
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text))
    assert wanted in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path):
    """Mistakes of values and mistakes between tables stand in one answer."""
    text = 'colour = 1\n[[listener]]\nname = "a"\nprotocol = "x"\n[[listener]]\nname = "a"\nprotocol = "udp"\naddress = "y"\n'
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text))
    assert len(caught.value.mistakes) == 6
    assert "6 mistakes" in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    """The way out is named."""
    with pytest.raises(ConfigurationError, match="hsmtrail init"):
        load(tmp_path / "none.toml")


def test_paths_are_relative_to_the_file(tmp_path):
    """data_dir and store.url lie beside the configuration unless they are absolute."""
    configuration = load(written(tmp_path, MINIMAL + '[store]\nurl = "elsewhere.duckdb"\n'))
    assert configuration.below("spool") == tmp_path / "data" / "spool"
    assert configuration.store_path == tmp_path / "elsewhere.duckdb"
    assert load(written(tmp_path, MINIMAL)).store_path == tmp_path / "data" / "store.duckdb"


@pytest.mark.parametrize(("text", "wanted"), [("50ms", 0.05), ("90s", 90), ("5m", 300), ("2h", 7200), ("30d", 2592000)])
def test_durations(text, wanted):
    """A number and a unit, in seconds."""
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "5", "0s", "-1s", "1.5h", "5 m", "m"])
def test_no_durations(text):
    """Anything else is refused."""
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


def test_addresses():
    """IPv6 stands in brackets, as in URLs."""
    assert split_address("[::1]:514") == ("::1", 514)
    assert split_address("0.0.0.0:0") == ("0.0.0.0", 0)
    assert split_server("mail.example.org:25") == ("mail.example.org", 25)
    assert weekly("sun 23:59") == ("sun", 23, 59)
