"""What is in a file of logs, however it is packed; and what a stranger's archive may not do."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from ingest.archive_import import Limits, TooMuch, Unpacking

ONE, TWO = b"<13>Nov 23 08:15:01 hsm-1 x: one\n", b"<13>Nov 23 08:15:02 hsm-1 x: two\n"


def tar(*members, form=tarfile.PAX_FORMAT):
    """Members as (name, content) or as TarInfo without content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return file.getvalue()


def zipped(*members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def unpacked(octets, limits=None, name="file"):
    """The logs as {name: bytes}, and what was noted as [(name, why)]."""
    unpacking, found = Unpacking(limits), {}
    for content in unpacking.contents(io.BytesIO(octets), name):
        found[content.name] = b"\n".join(b"\n".join(one.raw) for one in unpacking.readable(content) if one.raw)
    notes = unpacking.notes
    return found, [(one.file, one.why) for one in notes.failed], [(one.file, one.why) for one in notes.left_out]


LOG = ONE.strip()
LONG = "d/" * 80 + "messages"
FORMS = {
    "plain": (ONE, "file"),
    "gzip": (gzip.compress(ONE), "file"),
    "gzip in gzip": (gzip.compress(gzip.compress(ONE)), "file"),
    "gzip in two parts": (gzip.compress(ONE[:9]) + gzip.compress(ONE[9:]), "file"),
    "tar": (tar(("messages", ONE)), "file!messages"),
    "tar.gz": (
        gzip.compress(tar(("ready_for_archive/hsm_1_00000002.log", ONE))),
        "file!ready_for_archive/hsm_1_00000002.log",
    ),
    "gzip in tar.gz": (gzip.compress(tar(("messages.1.gz", gzip.compress(ONE)))), "file!messages.1.gz"),
    "tar in tar": (tar(("inner.tar", tar(("a", ONE)))), "file!inner.tar!a"),
    "zip": (zipped(("a.log", ONE)), "file!a.log"),
    "zip in tar": (tar(("a.zip", zipped(("a.log", ONE)))), "file!a.zip!a.log"),
    "tar.gz in zip": (zipped(("a.tgz", gzip.compress(tar(("b", ONE))))), "file!a.tgz!b"),
    "long name, PAX": (tar((LONG, ONE)), f"file!{LONG}"),
    "long name, GNU": (tar((LONG, ONE), form=tarfile.GNU_FORMAT), f"file!{LONG}"),
    "old tar": (tar(("a", ONE), form=tarfile.USTAR_FORMAT), "file!a"),
    "name that is no UTF-8": (tar(("a\udcff", ONE), form=tarfile.GNU_FORMAT), "file!a\\xff"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_packing(form):
    """The same line comes out, under a name that says where it lay."""
    octets, name = FORMS[form]
    assert unpacked(octets) == ({name: LOG}, [], [])


def test_names_are_only_names(tmp_path, monkeypatch):
    """Members that want to lie elsewhere are read like others, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    names = ("../../escaped", "/etc/escaped", "C:\\escaped", "a\x1b[2J", "")
    found, failed, left_out = unpacked(tar(*((name, ONE) for name in names)))
    assert list(found) == [f"file!{name}" for name in names]
    assert (failed, left_out) == ([], [])
    found, _, _ = unpacked(zipped(*((name, ONE) for name in names[:2])))
    assert list(found.values()) == [LOG, LOG]
    assert list(tmp_path.iterdir()) == []


def test_the_same_name_twice_is_two_paths():
    """Two members are two files, whatever they are called: their lines are copies, not repetitions."""
    found, _, _ = unpacked(tar(("a", ONE), ("a", TWO)))
    assert found == {"file!a": LOG, "file!a#2": TWO.strip()}


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_links_and_devices_are_left_out():
    """Each is named with its reason; the logs around them are read."""
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    specials = [special(f"s{number}", kind, "/etc/passwd") for number, kind in enumerate(kinds)]
    found, failed, left_out = unpacked(tar(special("folder", tarfile.DIRTYPE), ("a", ONE), *specials, ("b", TWO)))
    assert found == {"file!a": LOG, "file!b": TWO.strip()}
    assert failed == []
    assert [name for name, _ in left_out] == [f"file!s{number}" for number in range(5)]
    assert [why.split(":")[0] for _, why in left_out] == ["is a link"] * 2 + ["is a device"] * 2 + ["is a pipe"]


def test_a_link_in_a_zip_is_left_out():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a", ONE)
    found, failed, left_out = unpacked(file.getvalue())
    assert (found, failed) == ({"file!a": LOG}, [])
    assert left_out == [("file!link", "is a link: it is not followed")]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("153593.lws", b"secret", "holds an audit secret and no log"),
        ("wtmp", bytes(4000), "is no text"),
        ("lastlog", struct.pack("<400I", *range(400)), "is no text"),
    ],
)
def test_what_is_no_log_is_left_out(name, content, why):
    """Beside logs, appliances pack other files."""
    assert unpacked(tar((name, content), ("a", ONE))) == ({"file!a": LOG}, [], [(f"file!{name}", why)])


def test_a_log_that_a_crash_has_torn_is_a_log():
    """Some zeros among text do not make it another kind of file."""
    torn = bytes(20) + ONE * 10
    found, _, left_out = unpacked(tar(("messages", torn)))
    assert left_out == []
    assert found["file!messages"].startswith(bytes(20) + LOG)


def test_one_that_somebody_chose_is_read_whatever_it_is():
    assert unpacked(bytes(50) + b"\n") == ({"file": bytes(50)}, [], [])


@pytest.mark.parametrize(
    ("octets", "word"),
    [(b"BZh91AY&SY....", "bzip2"), (b"\xfd7zXZ\0....", "xz"), (b"\x28\xb5\x2f\xfd....", "zstd")],
)
def test_other_packings_are_named(octets, word):
    """What is not unpacked is not taken for lines."""
    assert unpacked(octets) == ({}, [("file", f"is packed with {word}: unpack it first")], [])


def cut(octets, at):
    return octets[:at]


BOTH = tar(("a", ONE * 100), ("b", TWO))
NUMBERS = b"".join(b"%x\n" % (number**7) for number in range(3000))
DAMAGED = {
    "tar that ends within a member": (cut(BOTH, 1000), "file!a"),
    "tar that ends within a header": (cut(BOTH, 512 + 3584 + 100), "file"),
    "gzip that ends early": (cut(gzip.compress(tar(("a", NUMBERS))), 9000), "file!a"),
    "gzip that is none": (b"\x1f\x8b" + bytes(30), "file"),
    "zip without its end": (cut(zipped(("a", ONE)), 40), "file"),
    "member whose sum is wrong": (
        zipped(("a", ONE), compression=zipfile.ZIP_STORED).replace(b"one", b"eno", 1),
        "file!a",
    ),
    "tar whose second header is no header": (BOTH[:4096] + b"x" * 512, "file"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_damaged_is_named(kind):
    """And what came before the damage is there."""
    octets, name = DAMAGED[kind]
    _, failed, _ = unpacked(octets)
    assert failed[0][0] == name
    assert "cannot be read to its end" in failed[0][1]


def test_what_came_before_the_damage_is_there():
    """All of it but the piece in which it is, however much is asked for at once."""
    packed = gzip.compress(NUMBERS * 20)
    before = [line for line in (NUMBERS * 20).split(b"\n") if line]
    for octets in (packed[:-8] + bytes(8), packed + b"something else"):
        found, failed, _ = unpacked(octets)
        assert (found["file"].split(b"\n"), len(failed)) == (before, 1)
    found, failed, _ = unpacked(cut(packed, len(packed) // 2))
    read = found["file"].split(b"\n")
    assert read == before[: len(read)]
    assert (len(read) > len(before) * 0.4, len(failed)) == (True, 1)
    octets = zipped(("a", NUMBERS * 20)).replace(struct.pack("<I", zlib.crc32(NUMBERS * 20)), bytes(4))
    found, failed, _ = unpacked(octets)
    assert (len(found["file!a"]) > len(NUMBERS) * 18, len(failed)) == (True, 1)


def test_a_short_log_before_the_damage_is_there():
    """Shorter than what is looked at to see what a file is."""
    for octets in (gzip.compress(ONE) + b"something else", gzip.compress(ONE)[:-4]):
        found, failed, _ = unpacked(octets)
        assert (found, len(failed)) == ({"file": LOG}, 1)


def test_the_rest_goes_on():
    """One member that cannot be read holds up no other."""
    inner = cut(gzip.compress(ONE * 1000), 60)
    found, failed, _ = unpacked(tar(("a", ONE), ("bad.gz", inner), ("c", TWO)))
    assert (found["file!a"], found["file!c"]) == (LOG, TWO.strip())
    assert [name for name, _ in failed] == ["file!bad.gz"]
    found, failed, _ = unpacked(zipped(("bad.gz", inner), ("c", TWO)))
    assert (found["file!c"], [name for name, _ in failed]) == (TWO.strip(), ["file!bad.gz"])


def test_an_encrypted_member_is_named():
    octets = bytearray(zipped(("a", ONE), ("b", TWO)))
    place = octets.index(b"PK\x01\x02")
    octets[place + 8] |= 1
    found, _, left_out = unpacked(bytes(octets))
    assert (found, left_out) == ({"file!b": TWO.strip()}, [("file!a", "is encrypted: unpack it first")])


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_ways_of_packing_without_a_bound_are_left_out(compression):
    """They would unpack any number of bytes at once."""
    _, _, left_out = unpacked(zipped(("a", ONE), compression=compression))
    assert left_out == [("file!a", "is packed in a way that is not read: unpack it first")]


def test_a_line_with_the_magic_word_of_tar_is_a_line():
    """Nobody hides a log by what is written in it."""
    line = b"x" * 257 + b"ustar" + b"y" * 300
    assert unpacked(line + b"\n") == ({"file": line}, [], [])


@pytest.fixture(scope="module")
def bomb():
    """One long line in a thousandth of its size."""
    return gzip.compress(b"x" * (100 << 20))


BOMBS = {
    "gzip": lambda octets: octets,
    "gzip in gzip": gzip.compress,
    "tar.gz": lambda octets: tar(("a", ONE), ("b.gz", octets)),
    "zip": lambda octets: zipped(("a.gz", octets), compression=zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("way", BOMBS)
def test_a_bomb_ends_the_file(bomb, way):
    """By the ratio of what comes out to what was read."""
    with pytest.raises(TooMuch, match="300 times its size"):
        unpacked(BOMBS[way](bomb))


def test_so_many_bytes_and_no_more():
    with pytest.raises(TooMuch, match="more than 1,000 bytes"):
        unpacked(gzip.compress(ONE * 100), Limits(bytes=1000))


@pytest.mark.parametrize("pack", [tar, zipped])
def test_so_many_members_and_no_more(pack):
    members = [(f"m{number}", ONE) for number in range(11)]
    assert len(unpacked(pack(*members[:10]), Limits(members=10))[0]) == 10
    with pytest.raises(TooMuch, match="more than 10 members"):
        unpacked(pack(*members), Limits(members=10))


def test_so_many_times_packed_and_no_more():
    octets = ONE
    for _ in range(6):
        octets = gzip.compress(octets)
    assert unpacked(octets) == ({}, [("file", "is packed more than 5 times over")], [])


def test_a_zip_within_an_archive_is_bounded():
    """It must be copied before it can be read."""
    octets = tar(("a.zip", zipped(("a", ONE * 1000), compression=zipfile.ZIP_STORED)))
    with pytest.raises(TooMuch, match="zip of more than 9,000 bytes"):
        unpacked(octets, Limits(temporary_bytes=9000))


def test_claimed_sizes_are_not_believed():
    """A header of 8 GiB, a member of 8 EiB, a list of members of 4 GiB: no memory is taken for any of them."""
    huge = special("a", b"x")
    huge.size = 8 << 30
    header = bytearray(huge.tobuf(tarfile.GNU_FORMAT))
    _, failed, _ = unpacked(bytes(header) + ONE)
    assert "has a header of 8,589,934,592 bytes" in failed[0][1]
    member = tarfile.TarInfo("a")
    member.size = 1 << 62
    _, failed, _ = unpacked(member.tobuf(tarfile.GNU_FORMAT) + ONE)
    assert "before this member does" in failed[0][1]
    octets = bytearray(zipped(("a", ONE)))
    place = octets.rindex(b"PK\x05\x06")
    octets[place + 12 : place + 16] = struct.pack("<I", 0xFFFFFFF0)
    _, failed, _ = unpacked(bytes(octets))
    assert [name for name, _ in failed] == ["file"]


@pytest.mark.parametrize(
    "text", [b"x path=a\n", b"3 path=a\n", b"0 path=a\n", b"99999999999999999999 a=b\n", b"12 size=-9\n"]
)
def test_extended_headers_that_are_wrong(text):
    header = special("x", b"x")
    header.size = len(text)
    octets = header.tobuf(tarfile.GNU_FORMAT) + text.ljust(512, b"\0") + tar(("a", ONE))
    _, failed, _ = unpacked(octets)
    assert failed == [("file", "cannot be read to its end: has an extended header that cannot be read")]


def test_a_pipe_can_bring_an_archive():
    """What cannot be sought in is read as it comes."""

    class Pipe(io.RawIOBase):
        def __init__(self, octets):
            self._octets = io.BytesIO(octets)

        def readable(self):
            return True

        def readinto(self, place):
            return self._octets.readinto(place)

    for octets in (zipped(("a", ONE)), tar(("a", ONE))):
        unpacking = Unpacking()
        pipe = io.BufferedReader(Pipe(octets))
        found = [
            raw for one in unpacking.contents(pipe, "pipe") for part in unpacking.readable(one) for raw in part.raw
        ]
        assert (found, unpacking.notes.failed) == ([LOG], [])
