"""Our own log: one JSON object a line, on standard error. Text from the network only ever appears escaped by JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
QUIET = ("apscheduler", "aiohttp", "asyncio", "mail")


class JsonLines(logging.Formatter):
    """{"at", "level", "part", "event", facts…}; an exception is one text, never several lines."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "at": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("hsmtrail."),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def configure(level: int = logging.INFO) -> None:
    """Send everything to standard error; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def shown(text: str, limit: int = 2000) -> str:
    """Text from the network for a terminal: what would move, hide or colour it is spelt out."""
    cut = text if len(text) <= limit else f"{text[:limit]}… {len(text) - limit} more"
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in HIDDEN else c for c in cut)
