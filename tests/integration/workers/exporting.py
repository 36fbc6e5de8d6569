"""What tests of export-data share: running one to its file, and reading the file as others would."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.jobs.export_data import ExportData
from shared.rows import Execution
from tests.integration.workers.conftest import Files, Runner


def completed(job: Execution) -> dict[str, Any]:
    """The result of a job that completed."""
    assert job.status == "completed", job.error
    result: dict[str, Any] = job.result
    return result


def cells(content: bytes) -> list[dict[str, str]]:
    """A CSV file as a strict reader has it."""
    assert content.endswith(b"\r\n")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))


def objects(content: bytes) -> list[dict[str, Any]]:
    """A file of JSON lines."""
    return [json.loads(line) for line in content.decode("utf-8").removesuffix("\n").split("\n") if line]


def moment(text: str | None) -> datetime | None:
    """A time as it stands in a file."""
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Exporter:
    """Exports one organization's rows."""

    run: Runner
    files: Files
    organization_id: int

    def job(self, payload: ExportData, **options: Any) -> Execution:
        """Export once; what became of the job."""
        return self.run(handler(), payload, **{"organization_id": self.organization_id} | options)

    def __call__(self, **payload: Any) -> bytes:
        """The file of a completed export."""
        return self.files.read(completed(self.job(ExportData(**payload)))["key"])

    def deliver(self, job_id: Any) -> int:
        """Deliver a job again; the status code answered."""
        return self.run.deliver(handler(), job_id)


def handler() -> Any:
    """The worker."""
    from functions.export_data import handler as module  # it reads its settings when it is imported

    return module.handler
