"""Write the sample week: `python sample_logs/generate.py [FOLDER]`; the same bytes every time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generator.week import Sent, milliseconds, week

HEAD = "# Milliseconds since the message before (the first: since Monday 00:00:00 UTC), and the device that sends it.\n"


def write(folder: Path) -> int:
    """DEVICE/week.log for each device and replay.txt; gives the number of messages."""
    lines = week()
    for device in sorted({line.device for line in lines}):
        (folder / device).mkdir(parents=True, exist_ok=True)
        text = b"".join(line.raw + b"\n" for line in lines if line.device == device)
        (folder / device / "week.log").write_bytes(text)
    (folder / "replay.txt").write_text(HEAD + _order(lines), encoding="utf-8")
    return len(lines)


def _order(lines: list[Sent]) -> str:
    moments = [0, *(milliseconds(line.at) for line in lines)]
    return "".join(
        f"{now - before} {line.device}\n" for before, now, line in zip(moments, moments[1:], lines, strict=False)
    )


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    print(f"{write(where)} messages in {where}")
