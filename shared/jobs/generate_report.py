"""The payload of `generate-report`: which report, on which days, as which kind of file."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shared.envelope import Payload, WireModel
from shared.registry import JobType

LONGEST = timedelta(days=5 * 366)
_EARLIEST, _LATEST = date(2000, 1, 1), date(2099, 12, 31)


class ReportType(StrEnum):
    """Every report there is."""

    MONTHLY_ANALYTICS = "monthly-analytics"
    REVENUE = "revenue"
    JOB_PERFORMANCE = "job-performance"
    LISTING_ACTIVITY = "listing-activity"

    @property
    def module(self) -> str:
        """Its name in Python and in the table: `listing_activity`."""
        return self.value.replace("-", "_")


class ReportFormat(StrEnum):
    """How the report is written. Its value is the file's extension."""

    PDF = "pdf"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


# Which filters each report takes, and their values where there are only some.
FILTERS: dict[ReportType, dict[str, tuple[str, ...] | None]] = {
    ReportType.MONTHLY_ANALYTICS: {"currency": None},
    ReportType.REVENUE: {"currency": None, "plan": None},
    ReportType.JOB_PERFORMANCE: {"job_type": tuple(each.value for each in JobType)},
    ReportType.LISTING_ACTIVITY: {
        "platform": ("zillow", "apartments", "craigslist", "facebook", "streeteasy", "realtor"),
        "city": None,
    },
}


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=100)]
OneOf = Annotated[tuple[Name, ...], BeforeValidator(_several), Field(min_length=1, max_length=50)]
Currencies = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], ...],
    BeforeValidator(_several),
    Field(min_length=1, max_length=50),
]


class ReportFilters(WireModel):
    """What the report is narrowed to: what fits every filter given. One takes a value, or several of which one must fit."""

    currency: Currencies | None = None
    plan: OneOf | None = None
    job_type: OneOf | None = None
    platform: OneOf | None = None
    city: OneOf | None = None

    def given(self) -> dict[str, tuple[str, ...]]:
        """Those that were given, by their names in Python."""
        return self.model_dump(exclude_none=True)


class GenerateReport(Payload, type=JobType.GENERATE_REPORT):
    """A report on an organization, from the first day to the last; without days on the last full month.

    Days are the organization's, in its time zone. Without an `organization_id` the job sets off one report for each;
    `after_organization_id` is where the job before it in that chain stopped: leave it to them. Raises InvalidJob where
    the days make no period, or the report takes no such filter.

        GenerateReport(report_type="revenue", start_date=date(2026, 4, 1), end_date=date(2026, 6, 30))
        GenerateReport(report_type="listing-activity", filters=ReportFilters(city="Austin"), format="html")
    """

    report_type: ReportType
    start_date: date | None = Field(None, ge=_EARLIEST, le=_LATEST)
    end_date: date | None = Field(None, ge=_EARLIEST, le=_LATEST)
    filters: ReportFilters = ReportFilters()
    format: ReportFormat = ReportFormat.PDF
    after_organization_id: int | None = Field(None, ge=1, lt=2**63)

    @model_validator(mode="after")
    def _has_a_period(self) -> Self:
        if (self.start_date is None) != (self.end_date is None):
            raise PydanticCustomError("half_period", "give both startDate and endDate, or neither")
        if self.start_date is None or self.end_date is None:
            return self
        if self.end_date < self.start_date:
            raise PydanticCustomError("no_period", "endDate must not be before startDate")
        if self.end_date - self.start_date >= LONGEST:
            raise PydanticCustomError("long_period", "the period must be at most five years")
        return self

    @field_validator("filters")
    @classmethod
    def _filters_are_the_reports(cls, filters: ReportFilters, fields: ValidationInfo) -> ReportFilters:
        report_type = fields.data.get("report_type")
        if report_type is None:
            return filters
        known = FILTERS[report_type]
        for name, values in filters.given().items():
            if name not in known:
                _refuse(f"{report_type} can be filtered by", tuple(known), {name})
            allowed = known[name]
            if allowed is not None and not set(values) <= set(allowed):
                _refuse(f"{name} can be", allowed, set(values) - set(allowed))
        return filters


def _refuse(words: str, allowed: tuple[str, ...], unknown: set[str]) -> None:
    # As values: the words may hold braces, which would be read as their places.
    raise PydanticCustomError(
        "not_allowed",
        "{words} {allowed}; not {unknown}",
        {"words": words, "allowed": ", ".join(allowed), "unknown": ", ".join(sorted(unknown))},
    )
