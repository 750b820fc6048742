"""An HSM's own audit files as `audit log tarlogs` packs them, and the lines by which syslog brought a part of them."""

import io
import random
import struct
import tarfile
import time

SERIAL, HOST = 600101, "luna-hsm01"
DEVICE = f'[[device]]\nname = "hsm-1"\nhosts = ["{HOST}"]\nserials = ["{SERIAL}"]\n'
BEGINNING = 1795421701  # 2026-11-23 08:15:01 UTC
FIRST = 1_000_000
MAJOR = 2147483651
EVENTS = ("LUNA_SIGN_SINGLEPART",) * 6 + ("LUNA_ENCRYPT_SINGLEPART", "LUNA_OPEN_SESSION", "LUNA_CLOSE_SESSION")


def records(count, per_second=1, seed=7, serial=f"S/N {SERIAL} "):
    """(sequence, Unix time, stamp, text, proof): MAC and raw block as the HSM writes them, the MAC made up."""
    chance = random.Random(seed)
    for number in range(count):
        sequence, at = FIRST + number, BEGINNING + int(number / per_second)
        session, minor, event = chance.randint(1, 500), chance.randint(1, 65000), chance.choice(EVENTS)
        stamp = time.strftime("%y/%m/%d %H:%M:%S", time.gmtime(at))
        text = f"{serial}session {session} Access {MAJOR}:{minor} operation {event} returned RC_OK(0x00000000)"
        block = struct.pack("<12I", 0x10000000 | sequence & 0xFFFFFF, 0xB6003, at, 0, minor, MAJOR, session, *[0] * 5)
        yield sequence, at, stamp, text, f"{chance.getrandbits(256):064X},{block.hex().upper()}"


def in_file(record):
    """The line of an audit file: fields of fixed width."""
    sequence, _, stamp, text, proof = record
    return f"{sequence:>10},{stamp},{text:<256},{proof}\n".encode()


def by_syslog(record, file):
    """The line of syslog: squeezed, with the file's name before it."""
    sequence, at, stamp, text, proof = record
    head = time.strftime("%b %e %H:%M:%S", time.gmtime(at))
    return f"<158>{head} {HOST} cbs[2042]: {file}^{sequence},{stamp},{text},{proof}\n".encode()


def file_name(number):
    return f"hsm_{SERIAL}_{number:08x}.log"


def tarlogs(path, files):
    """`files`: content by name."""
    with tarfile.open(path, "w:gz", compresslevel=6) as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(f"ready_for_archive/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def half(folder, count, per_second, per_file, run):
    """The whole in an archive, and every second `run` of it (and the last record) as syslog brought it."""
    sent, files = bytearray(), {}
    for number, record in enumerate(records(count, per_second)):
        name = file_name(number // per_file)
        files.setdefault(name, bytearray()).extend(in_file(record))
        if number // run % 2 == 0 or number == count - 1:
            sent += by_syslog(record, name)
    return tarlogs(folder / "audit-2026-11-23.tgz", files), bytes(sent)
