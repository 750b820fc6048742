"""Tables of hsmtrail.toml about what is kept: spool, store, retention."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hsmtrail.config_checks import Duration, Name  # noqa: TC001  (pydantic reads the annotations)
from hsmtrail.config_section import Section


class Store(Section):
    """Where DuckDB keeps its file."""

    url: str = Field(default="", description='A path; "" is store.duckdb in data_dir.')
    memory_limit: str = Field(
        default="1GB",
        pattern=r"^\d+(\.\d+)?(MB|GB)$",
        description="DuckDB's own limit; what does not fit waits in store.spill.",
    )
    threads: int = Field(default=2, ge=1, le=256, description="Threads of DuckDB.")


class Spool(Section):
    """The evidence: what is received, before anything else happens to it."""

    name: Name = Field(default="main", description="Folder below spool/; one receiver each.")
    number: int = Field(default=1, ge=1, le=65535, description="High 16 bits of record ids; one number per receiver.")
    commit_after: Duration = Field(default="50ms", description="A line waits at most so long for its fsync.")
    commit_bytes: int = Field(default=4 << 20, ge=4096, le=256 << 20, description="Or until so many bytes wait.")
    seal_after: Duration = Field(default="1h", description="A segment is closed after so long.")
    segment_bytes: int = Field(default=256 << 20, ge=1 << 16, le=8 << 30, description="Or when it has so many bytes.")
    key_file: str = Field(
        default="",
        description="Of the key behind the MACs of batches, made at the first start; spool.key in data_dir by itself."
        " Keep a copy of it elsewhere.",
    )
    warn_bytes: int | None = Field(
        default=None, ge=1 << 20, description="Spool and archive together: above it `status` and the log say so."
    )
    warn_days: int = Field(
        default=7, ge=0, le=3650, description="When the disk is full in so many days, `status` and the log say so."
    )


class Retention(Section):
    """How long records are kept; this version deletes nothing."""

    hot: Duration | Literal[""] = Field(default="", description="In the store.")
    total: Duration | Literal[""] = Field(default="", description="In all.")
    profile: str = Field(default="", description='A framework\'s figures, such as "pci".')
