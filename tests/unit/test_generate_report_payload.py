"""GenerateReport: what is wrong is known when it is constructed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.generate_report import GenerateReport, ReportFilters, ReportFormat, ReportType
from shared.registry import JobType, get_job_config


def refused(**fields: Any) -> str:
    with pytest.raises(InvalidJob) as error:
        GenerateReport(**{"report_type": "revenue"} | fields)
    return "; ".join(f"{field}: {what}" for field, what in error.value.problems)


def test_the_registry_finds_it() -> None:
    assert get_job_config(JobType.GENERATE_REPORT).payload is GenerateReport


def test_the_wire_form() -> None:
    payload = GenerateReport(
        report_type=ReportType.LISTING_ACTIVITY,
        start_date=date(2026, 4, 1),
        end_date=date(2026, 4, 1),
        filters=ReportFilters(city="Austin", platform=["zillow", "realtor"]),
        format=ReportFormat.HTML,
    )
    wire = payload.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert wire == {
        "reportType": "listing-activity",
        "startDate": "2026-04-01",
        "endDate": "2026-04-01",
        "filters": {"city": ["Austin"], "platform": ["zillow", "realtor"]},
        "format": "html",
    }
    assert GenerateReport.model_validate(wire) == payload


def test_a_worker_ignores_what_it_does_not_know() -> None:
    wire = {"reportType": "revenue", "colour": "red", "filters": {"region": "EU"}}
    read = GenerateReport.model_validate(wire, extra="ignore")
    assert (read.format, read.start_date, read.filters) == (ReportFormat.PDF, None, ReportFilters())
    assert "colour" in refused(colour="red")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"report_type": "profit"}, "report_type: Input should be 'monthly-analytics'"),
        ({"format": "docx"}, "format: Input should be 'pdf', 'html', 'csv' or 'json'"),
        ({"start_date": date(2026, 4, 1)}, "give both startDate and endDate, or neither"),
        ({"end_date": date(2026, 4, 1)}, "give both startDate and endDate, or neither"),
        (
            {"start_date": date(2026, 4, 2), "end_date": date(2026, 4, 1)},
            "endDate must not be before startDate",
        ),
        ({"start_date": date(2020, 1, 1), "end_date": date(2025, 1, 4)}, "must be at most five years"),
        ({"start_date": date(1, 1, 1), "end_date": date(1, 1, 2)}, "start_date"),
        ({"start_date": "soon", "end_date": "later"}, "start_date"),
        ({"filters": {"city": "Austin"}}, "revenue can be filtered by currency, plan; not city"),
        ({"filters": {"currency": "dollars"}}, "filters.currency"),
        ({"filters": {"currency": []}}, "filters.currency"),
        (
            {"report_type": "job-performance", "filters": {"job_type": ["send-fax"]}},
            "not send-fax",
        ),
        ({"report_type": "listing-activity", "filters": {"platform": "{x}"}}, "not {x}"),
    ],
)  # fmt: skip
def test_what_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in refused(**fields)


def test_five_years_are_not_too_long() -> None:
    GenerateReport(report_type="revenue", start_date=date(2020, 1, 1), end_date=date(2024, 12, 31))
