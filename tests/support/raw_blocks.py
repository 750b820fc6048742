"""The raw block of an HSM audit record, as firmware writes it."""

import struct
from datetime import datetime

EPOCH = datetime(1970, 1, 1)


def raw_block(sequence, at, code, access_minor, session):
    """Twelve little-endian words in hexadecimal; `at` is the HSM's own clock."""
    seconds = int((at - EPOCH).total_seconds())
    words = (0x10000000 | sequence & 0xFFFFFF, 0, seconds, code, access_minor, 2147483651, session)
    return struct.pack("<12I", *words, 0, 0, 0, 0, 0).hex().upper()
