"""Commands ask the running service over HTTP on loopback; when none runs, they open the store themselves."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hsmtrail.failures import Failure, Misuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hsmtrail.config import Configuration
    from hsmtrail.errands import Errand

STATUS_TO_FAILURE = {400: Misuse, 403: Misuse, 404: Failure, 408: Failure, 409: Failure}
ANSWER_SECONDS = 600.0
"""A report over a year of records may take its time; a query has a limit of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said: body as sent, and whether a limit cut it."""

    body: bytes
    truncated: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, as its address file in data_dir names it."""

    host: str
    port: int
    token: str

    def post(self, path: str, document: object) -> Answer:
        """Ask, and wait for the answer; Failure or Misuse with the service's own sentence."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(document), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"The service at {self.host}:{self.port} did not answer: {error}. Is it stopping?") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise STATUS_TO_FAILURE.get(response.status, Failure)(_reason(body, response.status))
        return Answer(body, response.headers.get("X-Hsmtrail-Truncated") is not None)

    def ask(self, errand: Errand) -> Any:  # noqa: ANN401  (JSON, as the errand defines it)
        return json.loads(self.post(f"/api/errands/{errand.name()}", errand.model_dump(mode="json")).body)

    def alive(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5.0)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _reason(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the service answered {status}"


def running_service(configuration: Configuration) -> Service | None:
    """The service of this data_dir, if it answers."""
    try:
        written = json.loads(configuration.below("service.json").read_text(encoding="utf-8"))
        token = configuration.below("local.token").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Failure(f"{configuration.below()}: cannot read how to reach the service: {error}") from None
    service = Service(written["host"], written["port"], token)
    return service if service.alive() else None


def ask(configuration: Configuration, errand: Errand) -> Any:  # noqa: ANN401  (JSON, as the errand defines it)
    """Have one errand done, by the running service or here."""
    with asker(configuration) as have_done:
        return have_done(errand)


@contextmanager
def asker(configuration: Configuration) -> Iterator[Callable[[Errand], Any]]:
    """Who does several errands one after the other: the running service, or this command with the store open."""
    service = running_service(configuration)
    if service is not None:
        yield service.ask
        return
    with local_desk(configuration) as desk:
        yield lambda errand: errand.answer(desk)


@contextmanager
def local_desk(configuration: Configuration) -> Iterator[Any]:
    """The store opened by this command itself, for as long as it takes."""
    from hsmtrail.desk import open_desk

    desk = open_desk(configuration)
    try:
        yield desk
    finally:
        desk.db.close()
