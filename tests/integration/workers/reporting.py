"""What tests of generate-report share: running one to its file, and reading each format as others would."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import date, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pypdf import PdfReader

from shared import database
from shared.database import Connection
from shared.jobs.generate_report import GenerateReport
from shared.rows import Execution
from tests.integration.workers.conftest import Files, Runner

TOKYO = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True)
class Reporter:
    """Makes one organization's reports."""

    run: Runner
    files: Files
    organization_id: int

    def job(self, payload: GenerateReport, **options: Any) -> Execution:
        """Make a report; what became of the job."""
        return self.run(_handler(), payload, **{"organization_id": self.organization_id} | options)

    def file(self, payload: GenerateReport, **options: Any) -> bytes:
        """The file of a completed report."""
        return self.files.read(completed(self.job(payload, **options))["key"])

    def report(self, report_type: str, **fields: Any) -> Document:
        """A completed report as its JSON has it."""
        payload = GenerateReport(report_type=report_type, format="json", **fields)
        return Document(json.loads(self.file(payload)))

    def deliver(self, job_id: UUID) -> int:
        """Deliver a job once; the status code answered."""
        return self.run.deliver(_handler(), job_id)


@dataclass(frozen=True)
class Document:
    """A report in JSON."""

    content: dict[str, Any]

    def figures(self) -> dict[str, Any]:
        """The summary's values by their names."""
        return {each["name"]: each["value"] for each in self.content["figures"]}

    def before(self) -> dict[str, Any]:
        """The same of the period before."""
        return {each["name"]: each["before"] for each in self.content["figures"]}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A table's rows by their columns' names."""
        (table,) = (each for each in self.content["tables"] if each["name"] == name)
        names = [column["name"] for column in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["rows"]]

    def chart(self, name: str) -> dict[str, list[Any]]:
        """A chart's series by their labels."""
        (chart,) = (each for each in self.content["charts"] if each["name"] == name)
        return {each["label"]: each["values"] for each in chart["series"]}


class Page(HTMLParser):
    """A report's page: its figures, its tables' cells, and all text that is seen."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.figures: dict[str, list[str]] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._into: list[str] | None = None
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if name := found.get("data-figure"):
            self.figures[name] = []
        if tag == "table":
            self.tables[str(found["id"])] = []
        if tag == "tr":
            self.tables[list(self.tables)[-1]].append([])
        if tag == "dd":
            self._into = self.figures[list(self.figures)[-1]]
        if tag in {"td", "th"}:
            self._into = self.tables[list(self.tables)[-1]][-1]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"dd", "td", "th"}:
            self._into = None

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._into is not None:
            self._into.append(data)


def lines(content: bytes) -> list[dict[str, str]]:
    """A CSV file as a strict reader has it."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def pages(content: bytes) -> list[str]:
    """The text of each page of a PDF, without spaces: lines break anywhere."""
    return ["".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


def completed(job: Execution) -> dict[str, Any]:
    """The result of a job that completed."""
    assert job.status == "completed", job.error
    result: dict[str, Any] = job.result
    return result


def reports_of(connection: Connection, job_id: UUID) -> list[dict[str, Any]]:
    return connection.execute("SELECT * FROM app.reports WHERE job_id = %s", [job_id]).fetchall()


def expire_lease(connection: Connection) -> None:
    database.discard()  # the process is gone, and its connections
    connection.execute(
        "UPDATE job_executions SET lease_expires_at = clock_timestamp() WHERE status = 'processing'"
    )


def in_tokyo(day: str, time: str = "12:00") -> datetime:
    """A moment by the clocks of Tokyo, nine hours ahead of UTC."""
    return datetime.fromisoformat(f"{day}T{time}:00").replace(tzinfo=TOKYO)


def add_organization(connection: Connection, name: str = "Sakura Homes") -> int:
    """One in Tokyo, without anything."""
    row = connection.execute(
        "INSERT INTO app.organizations (name, slug, time_zone) VALUES (%s, %s, 'Asia/Tokyo') RETURNING id",
        [name, f"o-{uuid4()}"],
    ).fetchone()
    assert row is not None
    return int(row["id"])


def add_invoice(
    connection: Connection, organization_id: int, amount: int, at: datetime, **columns: Any
) -> None:
    """One that was paid at once, or as the columns say."""
    paid = columns.get("status", "paid") == "paid"
    values = {
        "organization_id": organization_id,
        "stripe_invoice_id": f"in_{uuid4()}",
        "status": "paid",
        "amount_due": amount,
        "amount_paid": amount if paid else 0,
        "currency": "USD",
        "attempt_count": 1,
        "paid_at": at if paid else None,
        "created_at": at,
        "stripe_updated_at": at,
    } | columns
    _insert(connection, "app.invoices", values)


def add_subscription(
    connection: Connection,
    organization_id: int,
    amount: int,
    begin: str,
    end: str | None = None,
    **columns: Any,
) -> None:
    """A monthly one, in cents, from a day to another."""
    began, ended = in_tokyo(begin), in_tokyo(end) if end else None
    values = {
        "organization_id": organization_id,
        "stripe_subscription_id": f"sub_{uuid4()}",
        "plan": "team",
        "status": "canceled" if ended else "active",
        "amount": amount,
        "currency": "USD",
        "billing_interval": "month",
        "current_period_start": began,
        "current_period_end": in_tokyo("2099-01-01"),
        "started_at": began,
        "canceled_at": ended,
        "ended_at": ended,
        "stripe_updated_at": began,
    } | columns
    _insert(connection, "app.subscriptions", values)


def add_job(
    connection: Connection, organization_id: int, at: datetime, seconds: float, **columns: Any
) -> UUID:
    """One that completed at the first attempt after so many seconds, or as the columns say."""
    job_id = uuid4()
    values = {
        "job_id": job_id,
        "job_type": "send-email",
        "status": "completed",
        "payload": "{}",
        "attempt": 1,
        "max_attempts": 9,
        "organization_id": organization_id,
        "created_at": at,
        "started_at": at,
        "completed_at": datetime.fromtimestamp(at.timestamp() + seconds, TOKYO),
    } | columns
    _insert(connection, "job_executions", values)
    return job_id


def _insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    places = ", ".join(["%s"] * len(values))
    connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})".encode(), list(values.values())
    )


def day(text: str) -> date:
    return date.fromisoformat(text)


def _handler() -> Any:
    from functions.generate_report.handler import handler  # it wants the environment

    return handler
