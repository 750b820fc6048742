"""A site with a folder of its own patterns: one NTLS message that no built-in pattern reads."""

from support.installation import BASIC

PATTERNED = 'pattern_folders = ["patterns"]\n' + BASIC
RENEWED = """
family = "ntls"
version = "{version}"
programs = ["NTLS"]
begins = "[?{{level:level}} : {{code:code}} : ?]"
[[pattern]]
name = "session_renewed"
template = "Session renewed : {{origin:peer}}"
operation = "{operation}"
[[pattern.example]]
message = "Session renewed : 192.0.2.7/4711"
fields = {{ source = "192.0.2.7" }}
"""


def renewed(version, operation="session_open"):
    """The file, in one version of it."""
    return RENEWED.format(version=version, operation=operation)


def write_patterns(site, text, name="ntls.toml"):
    folder = site.folder / "patterns"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")
