"""generate-report: the file, its record and the mail; formats that agree; whose it is; and a report for each organization."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest

from functions.generate_report import fan_out
from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.generate_report import GenerateReport, ReportFormat, ReportType
from shared.registry import JobType
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.reporting import (
    Reporter,
    add_organization,
    completed,
    expire_lease,
    reports_of,
)

CONTENT_TYPES = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
}


@pytest.fixture
def reporter(run: Runner, files: Files, seeded: Seeded) -> Reporter:
    """Makes the first organization's reports."""
    return Reporter(run, files, seeded.organization_id)


def name_of(connection: Connection, organization_id: int) -> str:
    row = connection.execute("SELECT name FROM app.organizations WHERE id = %s", [organization_id]).fetchone()
    assert row is not None
    return str(row["name"])


def last_year(seeded: Seeded) -> dict[str, date]:
    return {"start_date": seeded.now.date() - timedelta(days=365), "end_date": seeded.now.date()}


# --- the file, the record, the mail -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ReportFormat)
def test_a_report_in_each_format(
    reporter: Reporter, seeded: Seeded, connection: Connection, kind: ReportFormat
) -> None:
    payload = GenerateReport(
        report_type="revenue", start_date=date(2026, 1, 1), end_date=date(2026, 3, 31), format=kind
    )
    job = reporter.job(payload, user_id=seeded.owner_id)
    result = completed(job)
    content = reporter.files.read(result["key"])
    assert result["key"] == f"reports/{seeded.organization_id}/{job.job_id}.{kind}"
    assert (result["bytes"], result["checksum"]) == (len(content), hashlib.sha256(content).hexdigest())
    (record,) = reports_of(connection, job.job_id)
    assert (record["report_type"], record["format"]) == ("revenue", kind)
    assert (record["period_start"], record["period_end"]) == (date(2026, 1, 1), date(2026, 3, 31))
    assert (record["organization_id"], record["user_id"]) == (seeded.organization_id, seeded.owner_id)
    assert [record[name] for name in ("bucket", "key", "bytes", "checksum")] == [
        result[name] for name in ("bucket", "key", "bytes", "checksum")
    ]
    assert record["parameters"]["startDate"] == "2026-01-01"
    head = reporter.files.client.head_object(Bucket=reporter.files.bucket, Key=result["key"])
    assert head["ContentType"] == CONTENT_TYPES[kind]
    assert f"revenue-2026-01-01-2026-03-31.{kind}" in head["ContentDisposition"]


def test_who_asked_is_told(reporter: Reporter, seeded: Seeded, connection: Connection) -> None:
    payload = GenerateReport(report_type="revenue", **last_year(seeded))
    result = completed(reporter.job(payload, user_id=seeded.owner_id))
    (mail,) = reporter.run.accepted(JobType.SEND_EMAIL)
    owner = connection.execute("SELECT * FROM app.users WHERE id = %s", [seeded.owner_id]).fetchone()
    assert owner is not None
    data = mail.payload["data"]
    assert (mail.payload["to"], mail.payload["template"]) == (owner["email"], "reportReady")
    assert (data["name"], data["title"], data["period"]) == (owner["name"], "Revenue", result["period"])
    assert data["downloadUrl"] == result["url"]
    assert data["highlights"][0].startswith("MRR (USD): $")
    assert mail.organization_id == seeded.organization_id


def test_nobody_is_told_who_is_no_member(reporter: Reporter, seeded: Seeded) -> None:
    completed(reporter.job(GenerateReport(report_type="revenue"), user_id=seeded.applicant_id))
    completed(reporter.job(GenerateReport(report_type="revenue")))
    assert reporter.run.accepted(JobType.SEND_EMAIL) == []


# --- whose --------------------------------------------------------------------------------------------------


def test_an_organization_that_is_not_there(reporter: Reporter) -> None:
    job = reporter.job(GenerateReport(report_type="revenue"), organization_id=987_654)
    assert (job.status, job.error) == ("failed", "there is no such organization")
    assert reporter.files.keys() == []


@pytest.mark.parametrize("report_type", ReportType)
def test_nothing_of_another_organization(
    reporter: Reporter, seeded: Seeded, connection: Connection, report_type: ReportType
) -> None:
    """With all rows of the others gone, the report is the same."""
    days = {"start_date": date(2025, 1, 1), "end_date": seeded.now.date() - timedelta(days=1)}
    before = reporter.report(report_type, **days).content
    mine = [seeded.organization_id]
    for table in ("activity_logs", "lead_matches", "application_documents", "application_reminders",
                  "applications", "leads", "listing_syndications", "listings", "invoices", "subscriptions",
                  "notifications"):  # fmt: skip
        connection.execute(f"DELETE FROM app.{table} WHERE organization_id <> %s".encode(), mine)
    after = reporter.report(report_type, **days).content
    assert after.pop("generatedAt") > before.pop("generatedAt")
    assert after == before


# --- which days ---------------------------------------------------------------------------------------------


def test_without_days_the_last_full_month_where_the_organization_is(
    run: Runner, files: Files, connection: Connection
) -> None:
    reporter = Reporter(run, files, add_organization(connection))
    job = reporter.job(GenerateReport(report_type="revenue"))
    row = connection.execute(
        """SELECT (date_trunc('month', created_at AT TIME ZONE 'Asia/Tokyo') - interval '1 month')::date AS first,
            (date_trunc('month', created_at AT TIME ZONE 'Asia/Tokyo') - interval '1 day')::date AS last
        FROM job_executions WHERE job_id = %s""",
        [job.job_id],
    ).fetchone()
    (record,) = reports_of(connection, job.job_id)
    assert row == {"first": record["period_start"], "last": record["period_end"]}


def test_a_month_that_has_begun_there_alone(run: Runner, files: Files, connection: Connection) -> None:
    """On the last day of March in UTC, when it is April in Tokyo, the last full month is March there."""
    from shared import dispatcher

    reporter = Reporter(run, files, add_organization(connection))
    job_id = dispatcher.enqueue(
        GenerateReport(report_type="revenue"), organization_id=reporter.organization_id
    )
    connection.execute(
        "UPDATE job_executions SET created_at = %s WHERE job_id = %s",
        [datetime(2026, 3, 31, 18, 0, tzinfo=UTC), job_id],
    )
    assert reporter.deliver(job_id) == 200
    assert completed(run.read(job_id))["period"] == "March 2026"


# --- for all ------------------------------------------------------------------------------------------------


def test_without_an_organization_a_report_for_each(
    reporter: Reporter, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "_PER_RUN", 2)
    payload = GenerateReport(report_type="monthly-analytics", format="html")
    job = reporter.job(payload, organization_id=None)
    assert completed(job) == {"started": 2, "goesOn": True}
    rest = next(
        each for each in reporter.run.accepted(JobType.GENERATE_REPORT) if each.payload["afterOrganizationId"]
    )
    assert rest.organization_id is None
    assert reporter.deliver(rest.job_id) == 200
    assert completed(reporter.run.read(rest.job_id)) == {"started": 1, "goesOn": False}
    made = [each for each in reporter.run.accepted(JobType.GENERATE_REPORT) if each.organization_id]
    owners = connection.execute(
        "SELECT organization_id, user_id FROM app.memberships WHERE role = 'owner' ORDER BY organization_id"
    ).fetchall()
    assert sorted((each.organization_id or 0, each.user_id or 0) for each in made) == [
        (row["organization_id"], row["user_id"]) for row in owners
    ]
    for each in made:
        assert each.payload["afterOrganizationId"] is None
        assert reporter.deliver(each.job_id) == 200
    assert len(reporter.run.accepted(JobType.SEND_EMAIL)) == len(owners)


def test_a_crash_while_setting_them_off_sets_off_each_once(
    reporter: Reporter, connection: Connection
) -> None:
    from shared import dispatcher, fault_points
    from shared.fault_points import Crash, FaultPoint

    job_id = dispatcher.enqueue(GenerateReport(report_type="revenue"))
    with fault_points.armed(FaultPoint.COMPLETING), pytest.raises(Crash):
        reporter.deliver(job_id)
    assert len(reporter.run.accepted(JobType.GENERATE_REPORT)) == 1
    expire_lease(connection)
    assert reporter.deliver(job_id) == 200
    assert len(reporter.run.accepted(JobType.GENERATE_REPORT)) == 1 + 3
