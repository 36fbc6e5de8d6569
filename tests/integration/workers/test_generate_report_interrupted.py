"""generate-report: killed between its effects, delivered again, run again."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from infra.seed import Seeded
from shared import dispatcher, fault_points, storage
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint
from shared.jobs.generate_report import GenerateReport, ReportFormat
from shared.registry import JobType
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.reporting import Reporter, completed, expire_lease, reports_of

SPAN: dict[str, Any] = {"start_date": date(2026, 1, 1), "end_date": date(2026, 6, 30)}


@pytest.fixture
def reporter(run: Runner, files: Files, seeded: Seeded) -> Reporter:
    """Makes the first organization's reports."""
    return Reporter(run, files, seeded.organization_id)


@pytest.mark.parametrize("kind", ["pdf", "json"])
@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_before_the_commit(
    reporter: Reporter, seeded: Seeded, connection: Connection, point: FaultPoint, kind: str
) -> None:
    payload = GenerateReport(report_type="listing-activity", format=kind, **SPAN)
    job_id = dispatcher.enqueue(payload, organization_id=seeded.organization_id, user_id=seeded.owner_id)
    with fault_points.armed(point), pytest.raises(Crash):
        reporter.deliver(job_id)
    stored = list(map(reporter.files.read, reporter.files.keys()))
    assert len(stored) == (0 if point is FaultPoint.CLAIMED else 1)
    expire_lease(connection)
    assert reports_of(connection, job_id) == []
    assert reporter.run.accepted(JobType.SEND_EMAIL) == []
    assert reporter.deliver(job_id) == 200
    result = completed(reporter.run.read(job_id))
    assert reporter.files.keys() == [result["key"]]
    assert stored in ([], [reporter.files.read(result["key"])])  # the same bytes
    (record,) = reports_of(connection, job_id)
    assert record["checksum"] == result["checksum"]
    assert len(reporter.run.accepted(JobType.SEND_EMAIL)) == 1


def test_a_redelivery_does_nothing(reporter: Reporter, seeded: Seeded, connection: Connection) -> None:
    job = reporter.job(GenerateReport(report_type="revenue"), user_id=seeded.owner_id)
    assert reporter.deliver(job.job_id) == 200
    assert len(reports_of(connection, job.job_id)) == 1
    assert len(reporter.run.accepted(JobType.SEND_EMAIL)) == 1


def test_the_same_payload_in_a_new_job_is_another_file(reporter: Reporter, connection: Connection) -> None:
    payload = GenerateReport(report_type="listing-activity", format="csv", **SPAN)
    first, second = completed(reporter.job(payload)), completed(reporter.job(payload))
    assert sorted(reporter.files.keys()) == sorted([first["key"], second["key"]])
    assert first["checksum"] == second["checksum"]


@pytest.mark.parametrize("kind", ReportFormat)
def test_s3_refusing_costs_an_attempt_and_leaves_nothing(
    reporter: Reporter,
    seeded: Seeded,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    kind: ReportFormat,
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("FILES_BUCKET", "no-such-bucket")
        job = reporter.job(GenerateReport(report_type="revenue", format=kind), retries=1)
    assert job.status == "retrying"
    assert "no-such-bucket" in (job.error or "")
    assert reports_of(connection, job.job_id) == []
    assert reporter.deliver(job.job_id) == 200
    assert storage.bucket() == reporter.files.bucket
    assert reporter.files.keys() == [completed(reporter.run.read(job.job_id))["key"]]


def test_a_replay_after_a_dead_letter(
    reporter: Reporter, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("FILES_BUCKET", "no-such-bucket")
        job = reporter.job(GenerateReport(report_type="revenue", **SPAN), retries=0)
    assert job.status == "failed"
    dispatcher.retry(job.job_id, GenerateReport(report_type="revenue", format="html", **SPAN))
    assert reporter.deliver(job.job_id) == 200
    (record,) = reports_of(connection, job.job_id)
    assert record["format"] == "html"
    assert reporter.files.keys() == [record["key"]]
