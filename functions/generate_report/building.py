"""Builds a report's model: finds its period, and has its type's module read what it says."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

from functions.generate_report.model import Report
from functions.generate_report.period import Period, period_of
from functions.generate_report.records import Organization
from functions.generate_report.reports import Content, Sources
from functions.generate_report.snapshot import Snapshot, snapshot
from shared import database
from shared.database import Connection
from shared.jobs.generate_report import GenerateReport
from shared.worker import Job


def build(job: Job[GenerateReport], organization: Organization) -> Report:
    """The report, all of it as of one moment. Raises DatabaseUnavailable."""
    period = period_of(job.payload, organization.asked_on)
    content = database.run(partial(_read, job=job, organization=organization, period=period))
    return Report(
        report_type=job.payload.report_type,
        title=content.title,
        organization=organization.name,
        time_zone=organization.time_zone,
        first_day=period.first,
        last_day=period.last,
        period=period.words,
        compared_with=period.before.words,
        filters={name: list(values) for name, values in job.payload.filters.given().items()},
        generated_at=job.created_at,
        figures=content.figures,
        charts=[chart for chart in content.charts if not chart.empty],
        tables=content.tables,
    )


def _read(
    connection: Connection, job: Job[GenerateReport], organization: Organization, period: Period
) -> Content:
    # What it is called follows from its type, so that a report loads no other's module.
    module = import_module(f"functions.generate_report.reports.{job.payload.report_type.module}")
    with snapshot(connection, _values(job, organization)) as rows:
        sources = Sources(period, _within(rows, period), _within(rows, period.before))
        content: Content = module.read(sources)
        return content


def _within(rows: Snapshot, period: Period) -> Snapshot:
    """The same moment, seen for a period's days."""
    step = {"step": period.step, "step_length": f"1 {period.step}"}
    days = {"first": period.first, "last": period.last, "trend_from": period.trend_from}
    (moments,) = rows.rows("find_moments", **days)
    return Snapshot(rows.connection, {**rows.values, **step, **days, **moments})


def _values(job: Job[GenerateReport], organization: Organization) -> dict[str, Any]:
    filters = job.payload.filters
    return {
        "organization_id": job.organization_id,
        "time_zone": organization.time_zone,
        "asked_at": job.created_at,
        "currencies": _array(filters.currency),
        "plans": _array(filters.plan),
        "job_types": _array(filters.job_type),
        "platforms": _array(filters.platform),
        "cities": _array(filters.city),
    }


def _array(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
