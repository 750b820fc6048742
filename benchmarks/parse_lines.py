"""Lines a second to all parsed columns on one core.

    python benchmarks/parse_lines.py [--lines 200000] [--rounds 5]

Four kinds of lines: pure audit records, audit records with their proof (448 bytes, as the appliance writes them), a
mix of all families in all header forms, and hostile lines of which no two have the same shape. The median of the rounds
is printed, in CPU time; `line engine` is the engine that reads what the bulk engine is not sure of.

Then, in the same run, what others make of the audit records: one regular expression a line into the same 21 values
(Python's `re`), and pyparsing alone (our own reference engine). Last, what parsing a batch of 28 MiB adds to the peak
of resident memory.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import struct
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hsmtrail.supervise import KEEP_MEMORY

os.environ["POLARS_MAX_THREADS"] = "1"
if not KEEP_MEMORY["work"].keys() <= os.environ.keys():  # an allocator reads this when it is loaded
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEEP_MEMORY["work"]})

import polars as pl

from parsers.batch import Parser
from parsers.inventory import Device, Inventory
from parsers.patterns import load
from parsers.reference import parse_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = datetime(2026, 11, 23, 8, 15, 1)
PER_SECOND = 2000
HOSTS = [(f"luna-hsm{number:02}", str(150700 + number), 2000 + 7 * number) for number in range(1, 9)]
ACTORS = ("SO container", "CO", "CU", "PO container", "AU", "SO")
MECHANISMS = ("CKM_AES_GCM", "CKM_RSA_PKCS", "CKM_ECDSA", "CKM_SHA256_HMAC", "CKM_AES_CBC_PAD")
RESULTS = [("RC_OK", 0)] * 60 + [("LUNA_RET_UM_PIN_INCORRECT", 0x00A00000), ("RC_KEY_HANDLE_INVALID", 0x60)]
EVENTS = (
    ["LUNA_SIGN_SINGLEPART"] * 40
    + ["LUNA_ENCRYPT_SINGLEPART", "LUNA_DECRYPT_SINGLEPART"] * 14
    + ["LUNA_OPEN_SESSION", "LUNA_CLOSE_SESSION"] * 7
    + ["LUNA_LOGIN", "LUNA_LOGOUT"] * 4
    + ["LUNA_GENERATE_KEY", "LUNA_CREATE_CONTAINER", "LUNA_DESTROY_OBJECT"]
)


def record(dice: random.Random, sequence: int, at: datetime, serial: str) -> tuple[str, int, tuple[int, int, int]]:
    """The text of an audit record, its code, and session, access and sequence."""
    event = dice.choice(EVENTS)
    name, code = dice.choice(RESULTS)
    session, minor = dice.randrange(1, 500), dice.randrange(65000)
    tail = ""
    if "LOGIN" in event or "CREATE" in event:
        tail = f" container={dice.randrange(40)} (using PIN (entry=LUNA_ENTRY_DATA_AREA))"
    elif "PART" in event:
        key = dice.randrange(20000)  # a key lives in one container and is used in one way
        tail = f" container={key % 40} key={2000000 + key} (using {MECHANISMS[key % 5]})"
    elif "SESSION" not in event:
        key = dice.randrange(20000)
        tail = f" container={key % 40} handle={2000000 + key}"
    text = (
        f"S/N {serial} session {session} Access 2147483651:{minor} {dice.choice(ACTORS)} "
        f"operation {event} returned {name}(0x{code:08X}){tail}"
    )
    return f"{sequence},{at:%y/%m/%d %H:%M:%S},{text}", code, (session, minor, sequence)


def audit(count: int, *, proven: bool = False) -> Iterator[bytes]:
    dice = random.Random(7)
    for number in range(count):
        at = START + timedelta(seconds=number // PER_SECOND)
        host, serial, pid = dice.choice(HOSTS)
        text, code, (session, minor, sequence) = record(dice, number, at, serial)
        if proven:
            epoch = int((at - datetime(1970, 1, 1)).total_seconds())
            words = (0x10000000 | sequence & 0xFFFFFF, 0, epoch, code, minor, 2147483651, session, 0, 0, 0, 0, 0)
            text = f"{text:<285},{dice.randbytes(32).hex().upper()},{struct.pack('<12I', *words).hex().upper()}"
        yield f"<158>{at:%b %e %H:%M:%S} {host} hsmlogd[{pid}]: {text}".encode()


def mixed(count: int) -> Iterator[bytes]:
    """Two thirds audit records; the rest shell, NTLS, SSH and appliance lines, a third of each in each form."""
    dice = random.Random(11)
    for number in range(count):
        at = START + timedelta(milliseconds=number / 2)
        host, serial, pid = dice.choice(HOSTS)
        address = f"192.0.2.{dice.randrange(256)}"
        origin = f"{address}/{dice.randrange(1024, 65536)}"
        program, text = dice.choices(
            [
                ("hsmlogd", record(dice, number, at, serial)[0]),
                (
                    "lunash",
                    f"info : 0 : Command: {dice.choice(('hsm show', 'client list', 'time'))}  : admin : {origin}",
                ),
                ("NTLS", f'info : 0 : NTLS Client "app-{dice.randrange(50)}" connected and authenticated : {origin}'),
                ("NTLS", f"info : 0 : Incoming connection request... : {origin}"),
                ("sshd", f"Accepted publickey for admin from {address} port {dice.randrange(1024, 65536)} ssh2"),
                ("sshd", f"pam_unix(sshd[{pid}]:session): session closed for user admin"),
                ("sysstatd", "Luna System State Server - OOS Errors: 15,100,60!"),
                ("kernel", "k7pf0: [HSM] ALM0013: High Temperature - 75C"),
            ],
            weights=[66, 8, 7, 7, 5, 5, 1, 1],
        )[0]
        form = dice.randrange(3)
        if form == 0:
            head = f"<158>{at:%b %e %H:%M:%S} {host} {program}[{pid}]: "
        elif form == 1:
            head = f"<158>{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 {host} {program}[{pid}]: "
        else:
            head = f"<158>1 {at:%Y-%m-%dT%H:%M:%S.%f}Z {host} {program} {pid} - - "
        yield (head + text).encode()


def hostile(count: int) -> Iterator[bytes]:
    """Near misses: each line starts as one of ours and then breaks, every time in another way."""
    dice = random.Random(13)
    for number, line in enumerate(mixed(count)):
        cut = dice.randrange(len(line))
        odd = bytes(dice.choices(b"(){}=^,:\x00\xff\xe2\x80\xaeab \"'<>[]", k=dice.randrange(1, 40)))
        yield line[:cut] + odd + b"%x" % number + line[cut:]


RECORD = re.compile(
    r"<(\d+)>(\w+ +\d+ [\d:]+) (\S+) ([^\[ ]+)\[(\d+)\]: (\d+),([\d/]+ [\d:]+),S/N (\d+) session (\d+) "
    r"Access (\d+):(\d+) (.+?) operation ([A-Z0-9_]+) returned ([A-Z0-9_]+)\(0x([0-9A-Fa-f]+)\)"
    r"(?: container=(\d+))?(?: key=(\d+))?(?: handle=(\d+))?(?: \(using (\w+)(?: \(entry=(\w+)\))?\))?"
)


def by_expression(lines: list[bytes]) -> int:
    """What a user would write: one expression a line, then numbers and times. Gives how many fitted."""
    rows = []
    for line in lines:
        found = RECORD.fullmatch(line.decode())
        if found:
            pri, sent, host, program, pid, number, stamp, serial, session, *rest = found.groups()
            head = (int(pri) // 8, int(pri) % 8, datetime.strptime("2026 " + sent, "%Y %b %d %H:%M:%S"))
            at = datetime.strptime(stamp, "%y/%m/%d %H:%M:%S")
            whole = [int(word) if word is not None and word.isdigit() else word for word in rest]
            rows.append((*head, host, program, pid, int(number), at, serial, int(session), *whole))
    return len(rows)


def by_pyparsing(lines: list[bytes], parser: Parser) -> int:
    return sum(
        parse_line(line, START, "192.0.2.11", parser.patterns, parser.inventory)["status"] == "parsed" for line in lines
    )


def seconds_a_line(work: Callable[[], int], count: int) -> float:
    began = time.process_time()
    assert work() == count, "a line of the benchmark is not known"
    return (time.process_time() - began) / count


def resident(figure: str) -> int:
    """MiB."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split(figure + ":")[1].split()[0]) // 1024


def batch(lines: list[bytes]) -> pl.DataFrame:
    return pl.DataFrame({"raw": pl.Series(lines, dtype=pl.Binary)}).with_columns(
        received_at=pl.lit(START, pl.Datetime("us")),
        peer=pl.lit("192.0.2.11"),
        peer_identity=pl.lit(""),
        trouble=pl.lit(""),
    )


def rate(parse: Callable[[pl.DataFrame], pl.DataFrame], lines: pl.DataFrame, rounds: int) -> float:
    """Lines per CPU second, the median of the rounds."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        parse(lines)
        seconds.append(time.process_time() - began)
    return lines.height / median(seconds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--memory", action="store_true", help="only the memory")
    chosen = options.parse_args()
    devices = tuple(Device(host, (host,), (serial,)) for host, serial, _ in HOSTS)
    parser = Parser(load(), Inventory(devices))
    if chosen.memory:
        memory(parser)
        return
    kinds = {
        "audit": audit(chosen.lines),
        "audit, proven": audit(chosen.lines, proven=True),
        "mixed": mixed(chosen.lines),
        "hostile": hostile(20_000),
    }
    rates: dict[str, float] = {}
    print(f"{'lines':<16}{'bulk':>12}{'line engine':>14}   lines per CPU second")
    for kind, lines in kinds.items():
        given = batch(list(lines))
        parsed = parser.parse(given)
        assert kind == "hostile" or (parsed["status"] == "parsed").all(), "a line of the benchmark is not known"
        rates[kind] = rate(parser.parse, given, chosen.rounds)
        print(f"{kind:<16}{rates[kind]:>12,.0f}{rate(parser.one_by_one, given.head(5000), 3):>14,.0f}")
    compare(parser, rates)
    subprocess.run([sys.executable, __file__, "--memory"], check=True)


def memory(parser: Parser) -> None:
    """In a process that has done nothing else: what earlier kinds left behind is not the parser's."""
    parser.parse(batch(list(audit(1000))))
    whole = batch(list(audit((28 << 20) // 220)))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    before = resident("VmRSS")
    parser.parse(whole)
    print(f"28 MiB batch: peak {resident('VmHWM')} MiB, {resident('VmHWM') - before} of it by parsing")


def compare(parser: Parser, rates: dict[str, float]) -> None:
    lines = list(audit(20_000))
    expression = 1 / median(seconds_a_line(lambda: by_expression(lines), len(lines)) for _ in range(3))
    pyparsing = 1 / seconds_a_line(lambda: by_pyparsing(lines[:500], parser), 500)
    print(f"{'re, line by line':<16}{expression:>12,.0f}\n{'pyparsing alone':<16}{pyparsing:>12,.0f}")
    for kind, reached in rates.items():
        print(f"{kind:<16}{reached / expression:>8.2f} x re {reached / pyparsing:>10,.0f} x pyparsing")


if __name__ == "__main__":
    main()
