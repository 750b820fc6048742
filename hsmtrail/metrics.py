"""Our own counters in Prometheus' text form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENER = {
    "received": "Messages that reached the receiver.",
    "kernel_dropped": "Datagrams that the kernel dropped before the receiver could read them.",
    "cut": "Messages that were longer than max_message.",
    "spooled": "Messages on disk in the spool.",
}

CONNECTIONS = {
    "accepted": "Connections that were let in.",
    "tls_failed": "Of these, those whose TLS handshake failed.",
    "without_message": "Of these, those that ended without a message.",
}
CONNECTIONS_BY_REASON = {
    "connections_refused": "Connections not let in, by reason.",
    "connections_closed": "Connections that the receiver ended, by reason.",
}
RECEIVER = {
    "running": "1 while the receiver runs.",
    "blocked": "1 while the disk takes nothing.",
    "spool_bytes": "Bytes of the spool's segments.",
}
FLAGS = ("running", "blocked")


def exposition(status: dict[str, Any]) -> str:
    """The status document as metrics (Prometheus text format 0.0.4)."""
    receiver = status["receiver"]
    lines = [*_receiver(receiver), *_listeners(receiver["listeners"]), *_connections(receiver["listeners"])]
    return "\n".join([*lines, *_service(status["service"])]) + "\n"


def _receiver(receiver: dict[str, Any]) -> Iterator[str]:
    for key, meaning in RECEIVER.items():
        yield from _head(f"hsmtrail_receiver_{key}", "gauge", meaning)
        yield f"hsmtrail_receiver_{key} {int(bool(receiver.get(key)) if key in FLAGS else receiver.get(key, 0))}"


def _connections(listeners: list[dict[str, Any]]) -> Iterator[str]:
    for key, meaning in CONNECTIONS.items():
        yield from _head(f"hsmtrail_listener_connections_{key}_total", "counter", meaning)
        for listener in listeners:
            number = listener.get("connections", {}).get(key, 0)
            yield f"hsmtrail_listener_connections_{key}_total{{listener={_quoted(listener['name'])}}} {number}"
    for key, meaning in CONNECTIONS_BY_REASON.items():
        yield from _head(f"hsmtrail_listener_{key}_total", "counter", meaning)
        for listener in listeners:
            for reason, number in listener.get(key, {}).items():
                labels = f"listener={_quoted(listener['name'])},reason={_quoted(reason)}"
                yield f"hsmtrail_listener_{key}_total{{{labels}}} {number}"
    yield from _head("hsmtrail_listener_connections_open", "gauge", "Connections that are open.")
    for listener in listeners:
        number = listener.get("connections_open", 0)
        yield f"hsmtrail_listener_connections_open{{listener={_quoted(listener['name'])}}} {number}"


def _listeners(listeners: list[dict[str, Any]]) -> Iterator[str]:
    for key, meaning in LISTENER.items():
        yield from _head(f"hsmtrail_listener_{key}_total", "counter", meaning)
        for listener in listeners:
            yield f"hsmtrail_listener_{key}_total{{listener={_quoted(listener['name'])}}} {listener[key]}"
    yield from _head("hsmtrail_listener_refused_total", "counter", "Messages that were not kept, by reason.")
    for listener in listeners:
        for reason, number in listener["refused"].items():
            labels = f"listener={_quoted(listener['name'])},reason={_quoted(reason)}"
            yield f"hsmtrail_listener_refused_total{{{labels}}} {number}"


def _service(service: dict[str, Any]) -> Iterator[str]:
    for key, meaning in (
        ("records", "Records in the store."),
        ("copies", "Records that repeat another."),
        ("unknown", "Records that no body pattern knew."),
        ("lag_seconds", "Age of the oldest spooled line that is not stored."),
    ):
        yield from _head(f"hsmtrail_{key}", "gauge", meaning)
        yield f"hsmtrail_{key} {service[key]}"
    yield from _head("hsmtrail_deliveries", "gauge", "Alerts by state.")
    for state in ("waiting", "delivered", "dead"):
        yield f"hsmtrail_deliveries{{state={_quoted(state)}}} {service['deliveries'][state]}"


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
