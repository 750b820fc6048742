"""What commands ask of an open store: one class per errand, the same over HTTP and in the command itself."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from hsmtrail.desk import Desk

Role = Literal["reader", "analyst", "admin"]
ERRANDS: dict[str, type[Errand]] = {}
"""Every errand by its name in the address: /api/errands/list-findings."""


class Errand(BaseModel):
    """A question or an order, checked when it is made; `answer` gives what JSON can hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: ClassVar[Role] = "reader"
    """Who may send it over HTTP; each role may also do what those before it may."""

    def __init_subclass__(cls, **keywords: Any) -> None:  # noqa: ANN401
        super().__init_subclass__(**keywords)
        ERRANDS[cls.name()] = cls

    @classmethod
    def name(cls) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @abstractmethod
    def answer(self, desk: Desk) -> Any:  # noqa: ANN401
        """Do it; Failure or Misuse says why not."""
