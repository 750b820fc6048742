"""What a shell command does: its operation, the setting it touches and the value it gives, its role and partition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from parsers.meaning import class_of, policies, result, role_named, strike_of
from parsers.remembering import remembered
from parsers.shell import Typed, read

_PLACE = re.compile(r"\{([a-z0-9|]+)\}")
_NUMBERED_POLICY = re.compile(r"(hsm|partition) policy ([0-9]{1,3})")
_ROLE_AREAS = {"hsm": "so", "audit": "au"}
_ROLE_OPERATIONS = frozenset({"login", "logout", "role_init", "role_secret_set", "role_secret_reset", "domain_set"})
_AUDIT_PARAMETERS = {"event": "audit mask", "rotation": "audit rotation", "path": "audit path", "size": "audit size"}


@dataclass(slots=True)
class Judged:
    """The columns and details that a command gives."""

    columns: dict[str, object] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()


@remembered(8192)
def judge(text: str, code: int | None) -> Judged:
    """A command line and its return code; the result is shared, so it is not to be changed."""
    typed = read(text)
    ended = result(None, code)
    token = typed.name.startswith("token backup")
    judged = Judged(trouble=("ambiguous",) if typed.ambiguous else ())
    setting, value = _setting(typed)
    judged.columns = {
        "command": typed.name or None,
        "operation": typed.operation,
        "command_class": class_of(typed.operation),
        "outcome": ended.outcome,
        "strike": strike_of(typed.operation, counted=ended.strike and not token),
        "role": "" if token else _role(typed) or (ended.role if typed.operation == "login" else ""),
        "setting": setting,
        "value": value,
        "partition": _text(typed.options.get("partition")),
        "client": _client(typed),
    }
    judged.details = {"options": typed.options} if typed.options else {}
    judged.details |= {"arguments": typed.arguments} if typed.arguments else {}
    judged.details |= {"target": "backup token"} if token else {}
    judged.details |= _policy(setting)
    return judged


def _policy(setting: str | None) -> dict[str, object]:
    """What the manual calls the policy that a setting names by its number."""
    found = _NUMBERED_POLICY.fullmatch(setting or "")
    policy = policies().get((found[1], int(found[2]))) if found else None
    return {"policy": policy.wording} if policy else {}


def _text(option: object) -> str | None:
    return option if isinstance(option, str) and option else None


def _role(typed: Typed) -> str:
    """`hsm login` is the Security Officer's; elsewhere the line may name the role."""
    if typed.known is None or typed.operation not in _ROLE_OPERATIONS:
        return ""
    named = role_named(_text(typed.options.get("name")) or "")
    if typed.name == "partition activate":
        return "cu" if "cu" in typed.options else "co"
    return named or _ROLE_AREAS.get(typed.name.split()[0], "")


def _client(typed: Typed) -> str | None:
    if typed.known is None or not typed.name.startswith(("client ", "stc client ")):
        return None
    return _text(typed.options.get("client")) or (typed.arguments[0] if typed.arguments else None)


def _setting(typed: Typed) -> tuple[str | None, str | None]:
    """Setting and value as the table's templates say; None where the line does not say enough."""
    if typed.known is None:
        return None, None
    if typed.name == "audit config":
        return _audit_config(typed)
    setting = _filled(typed.known.setting, typed)
    return (setting, _filled(typed.known.value, typed)) if setting else (None, None)


def _filled(template: str, typed: Typed) -> str | None:
    missing = False

    def found(place: re.Match[str]) -> str:
        nonlocal missing
        value = next((text for name in place[1].split("|") if (text := _named(name, typed))), "")
        missing = missing or not value
        return value

    filled = _PLACE.sub(found, template)
    return None if missing or not filled else filled


def _named(name: str, typed: Typed) -> str:
    """An option, an argument by its number, or the address of a log target."""
    if name == "target":
        return _target(typed)
    if name.isdigit():
        return typed.arguments[int(name) - 1] if len(typed.arguments) >= int(name) else ""
    return _text(typed.options.get(name)) or ""


def _target(typed: Typed) -> str:
    """`ADDRESS[:PORT][/PROTOCOL]`, as far as the line says."""
    host = _text(typed.options.get("host")) or (typed.arguments[0] if typed.arguments else "")
    port, protocol = (_text(typed.options.get(name)) for name in ("port", "protocol"))
    if not host:
        return ""
    return host + (f":{port}" if port else "") + (f"/{protocol.lower()}" if protocol else "")


def _audit_config(typed: Typed) -> tuple[str | None, str | None]:
    parameter = (_text(typed.options.get("parameter")) or "").lower()
    if not parameter:
        return None, None
    meant = [setting for name, setting in _AUDIT_PARAMETERS.items() if name.startswith(parameter)]
    return meant[0] if len(meant) == 1 else f"audit {parameter}", _text(typed.options.get("value"))
