"""Luna-like audit lines, mean about 220 bytes, the same for the same seed.

python benchmarks/generate_lines.py FILE [--lines 1000000]
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BEGINNING = 1795421701  # 2026-11-23 08:15:01 UTC
HOSTS = 8
MECHANISMS = ("CKM_AES_GCM", "CKM_RSA_PKCS", "CKM_ECDSA", "CKM_SHA256_HMAC", "CKM_AES_CBC_PAD", "CKM_SHA256_RSA_PKCS")
ENTRIES = ("LUNA_ENTRY_DATA_AREA", "LUNA_ENTRY_KEYPAD", "LUNA_ENTRY_CHALLENGE")
ACTORS = ("SO container", "CO", "CU", "PO container", "AU", "SO")
RESULTS = (("RC_OK", 0x00),) * 60 + (
    ("RC_KEY_HANDLE_INVALID", 0x60),
    ("RC_MECHANISM_INVALID", 0x70),
    ("RC_DATA_INVALID", 0x20),
    ("RC_SESSION_HANDLE_INVALID", 0xB3),
)
Operation = tuple[int, str]
OPERATIONS: dict[str, Operation] = {  # a signing workload with some administration: weight and tail of each
    "LUNA_SIGN_SINGLEPART": (40, "key"),
    "LUNA_ENCRYPT_SINGLEPART": (14, "key"),
    "LUNA_DECRYPT_SINGLEPART": (14, "key"),
    "LUNA_VERIFY_SINGLEPART": (5, "key"),
    "LUNA_OPEN_SESSION": (7, ""),
    "LUNA_CLOSE_SESSION": (7, ""),
    "LUNA_LOGIN": (4, "pin"),
    "LUNA_LOGOUT": (4, ""),
    "LUNA_GENERATE_KEY": (2, "handle"),
    "LUNA_CREATE_CONTAINER": (1, "pin"),
    "LUNA_DESTROY_OBJECT": (1, "object"),
    "LUNA_MODIFY_OBJECT": (1, "object"),
}


@dataclass(slots=True)
class Hsm:
    name: str
    process: int
    serial: int
    sequence: int = 5


def lines(
    count: int, per_second: int, seed: int, beginning: int = BEGINNING, operations: Mapping[str, Operation] = OPERATIONS
) -> Iterator[str]:
    """`per_second` lines share a second of the appliance's clock, which starts at `beginning` (seconds since 1970)."""
    chance = random.Random(seed)
    hsms = [Hsm(f"luna-hsm{i:02d}", 2000 + 7 * i, 150700 + i) for i in range(1, HOSTS + 1)]
    names, weights = list(operations), [weight for weight, _ in operations.values()]
    for first in range(0, count, per_second):
        moment = time.gmtime(beginning + first // per_second)
        head, stamp = time.strftime("%b %e %H:%M:%S", moment), time.strftime("%y/%m/%d %H:%M:%S", moment)
        for operation in chance.choices(names, weights, k=min(per_second, count - first)):
            kind = operations[operation][1]
            yield line(chance, chance.choice(hsms), operation, kind, head, stamp)


def line(chance: random.Random, hsm: Hsm, operation: str, kind: str, sent: str, stamp: str) -> str:  # noqa: PLR0913, PLR0917
    hsm.sequence += 1
    result, code = chance.choice(RESULTS)
    head = f"<{134 if code == 0 else 132}>{sent} {hsm.name} hsmlogd[{hsm.process}]: "
    access = f"S/N {hsm.serial} session {chance.randint(1, 500)} Access 2147483651:{chance.randint(1, 65000)} "
    body = f"{chance.choice(ACTORS)} operation {operation} returned {result}(0x{code:08x})"
    return f"{head}{hsm.sequence},{stamp},{access}{body}{tail(chance, kind)}"


def tail(chance: random.Random, kind: str) -> str:
    container, number = chance.randint(1, 40), chance.randint(2_000_000, 2_020_000)
    return {
        "": "",
        "pin": f" container={container} (using PIN (entry={chance.choice(ENTRIES)}))",
        "key": f" container={container} key={number} (using {chance.choice(MECHANISMS)})",
        "handle": f" container={container} handle={number} (using {chance.choice(MECHANISMS)})",
        "object": f" container={container} handle={number}",
    }[kind]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", type=Path)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--per-second", type=int, default=2000)
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    octets = 0
    with chosen.file.open("w", encoding="ascii") as file:
        for text in lines(chosen.lines, chosen.per_second, chosen.seed):
            octets += file.write(text + "\n") - 1
    print(f"{chosen.lines} lines, mean {octets / chosen.lines:.1f} bytes")


if __name__ == "__main__":
    main()
