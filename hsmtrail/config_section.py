"""What all tables of hsmtrail.toml have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file: unknown keys are mistakes, values are what they say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)
