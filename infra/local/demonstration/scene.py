"""Where the demonstration plays, and what every part of it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from infra.local.cloud import LocalCloud
from infra.local.mailbox.mails import Mail
from infra.seed import Seeded
from infra.template import ROOT
from infra.webhooks import Request
from shared.job_request import JobRequest
from shared.rows import Execution


class DemoError(Exception):
    """The system did not do what it should have."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The running cloud, its data, and the folder that keeps what is made."""

    cloud: LocalCloud
    seeded: Seeded
    folder: Path

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What the database answers."""
        with psycopg.connect(self.cloud.database_url, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def keep(self, key: str, name: str) -> Path:
        """Bring a file from the bucket and keep it under this name, its suffix added; where it lies now."""
        path = (self.folder / "files" / name).with_suffix(Path(key).suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.cloud.aws.read(self.cloud.files_bucket, key))
        return path

    def mails_to(self, address: str) -> list[Mail]:
        """What has arrived at an address."""
        return [mail for mail in self.cloud.mailbox.mails if address in mail.to]

    def path_of(self, mail: Mail) -> Path:
        """Where a mail's HTML lies once `save_mails` has run."""
        number = [each.id for each in self.cloud.mailbox.mails].index(mail.id) + 1
        return self.folder / "mails" / f"{number:02}-{_slug(mail.subject)}.html"

    def save_mails(self) -> None:
        """Keep the mails beyond the mailbox's life."""
        (self.folder / "mails").mkdir(parents=True)
        for mail in self.cloud.mailbox.mails:
            path = self.path_of(mail)
            path.write_text(mail.html, "utf-8")
            path.with_suffix(".txt").write_text(mail.text, "utf-8")


@dataclass(frozen=True, slots=True)
class Received:
    """An event that another system sends over HTTP; `event_id` is its id there."""

    request: Request
    event_id: str


@dataclass(frozen=True, slots=True)
class Act:
    """One job of the demonstration, enqueued here or by the receiver. `made` looks for what it made and says where; it raises DemoError if it is not there."""

    title: str
    request: JobRequest | Received
    made: Callable[[Scene, Execution], str]
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """An act that was enqueued."""

    act: Act
    job_id: UUID


def require(condition: object, what: str) -> None:
    """Raise DemoError, which says what should have been there."""
    if not condition:
        raise DemoError(what)


def shown(path: Path) -> str:
    """A path as the terminal shows it, to be clicked on."""
    return f"[link={path.as_uri()}]{path.relative_to(ROOT)}[/link]"


def plural(number: int, word: str, words: str | None = None) -> str:
    """1 row, 2,000 rows."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def _slug(subject: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in subject.lower()).split())[:24].rstrip("-")


def in_words(values: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)
