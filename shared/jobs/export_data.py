"""The payload of `export-data`: which of an organization's rows, which of their columns, in which format."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shared.envelope import Payload, WireModel
from shared.registry import JobType


class EntityType(StrEnum):
    """What can be exported. Its value is the table's name."""

    USERS = "users"
    MEMBERSHIPS = "memberships"
    SUBSCRIPTIONS = "subscriptions"
    INVOICES = "invoices"
    ACTIVITY_LOGS = "activity_logs"
    LISTINGS = "listings"
    APPLICATIONS = "applications"
    JOB_EXECUTIONS = "job_executions"


class ExportFormat(StrEnum):
    """How the file is written. Its value is the file's extension; `jsonl` is one JSON object a line."""

    CSV = "csv"
    JSONL = "jsonl"


# What may leave, in the file's order. A column that is not here does not exist for an export: links that open without
# signing in, the payloads, results and errors of jobs, and whatever a later migration adds.
COLUMNS: dict[EntityType, tuple[str, ...]] = {
    EntityType.USERS: ("id", "email", "name", "phone", "locale", "time_zone", "created_at", "updated_at"),
    EntityType.MEMBERSHIPS: ("user_id", "role", "created_at"),
    EntityType.SUBSCRIPTIONS: (
        "id", "stripe_subscription_id", "plan", "status", "amount", "currency", "billing_interval", "interval_count",
        "current_period_start", "current_period_end", "trial_ends_at", "cancel_at_period_end", "canceled_at",
        "started_at", "ended_at", "created_at", "updated_at",
    ),
    EntityType.INVOICES: (
        "id", "subscription_id", "stripe_invoice_id", "number", "status", "amount_due", "amount_paid", "currency",
        "attempt_count", "due_at", "paid_at", "created_at", "updated_at",
    ),
    EntityType.ACTIVITY_LOGS: (
        "id", "user_id", "action", "subject_type", "subject_id", "source", "external_id", "data", "occurred_at",
        "created_at",
    ),
    EntityType.LISTINGS: (
        "id", "agent_id", "status", "title", "description", "property_type", "street", "unit", "city", "state", "zip",
        "latitude", "longitude", "price", "deposit", "bedrooms", "bathrooms", "square_feet", "available_from",
        "lease_months_min", "lease_months_max", "cats_allowed", "dogs_allowed", "amenities", "photos", "contact_name",
        "contact_email", "contact_phone", "created_at", "updated_at",
    ),
    EntityType.APPLICATIONS: (
        "id", "listing_id", "applicant_id", "status", "required_documents", "created_at", "submitted_at", "decided_at",
        "expires_at", "updated_at",
    ),
    EntityType.JOB_EXECUTIONS: (
        "job_id", "job_type", "status", "run", "attempt", "max_attempts", "user_id", "schedule_id", "not_before",
        "started_at", "completed_at", "created_at", "updated_at",
    ),
}  # fmt: skip

# Which columns may be filtered, and by which values; None where any will do.
FILTERS: dict[EntityType, dict[str, tuple[str, ...] | None]] = {
    EntityType.USERS: {},
    EntityType.MEMBERSHIPS: {"role": ("owner", "admin", "member")},
    EntityType.SUBSCRIPTIONS: {
        "status": (
            "incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused",
        ),
    },
    EntityType.INVOICES: {"status": ("draft", "open", "paid", "void", "uncollectible")},
    EntityType.ACTIVITY_LOGS: {"action": None, "source": None},
    EntityType.LISTINGS: {"status": ("draft", "active", "rented", "withdrawn")},
    EntityType.APPLICATIONS: {
        "status": (
            "started", "submitted", "documents_pending", "complete", "approved", "denied", "withdrawn", "expired",
        ),
    },
    EntityType.JOB_EXECUTIONS: {
        "status": ("pending", "processing", "retrying", "completed", "failed", "cancelled"),
        "job_type": tuple(each.value for each in JobType),
    },
}  # fmt: skip


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


OneOf = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
    BeforeValidator(_several),
    Field(min_length=1, max_length=50),
]


class ExportFilters(WireModel):
    """Which rows: those that fit every filter given. A filter takes one value, or several of which one must fit.

    `created_after` is inclusive, `created_before` is not; both know their time zone. Of an activity log it is when the
    thing occurred.
    """

    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    status: OneOf | None = None
    role: OneOf | None = None
    action: OneOf | None = None
    source: OneOf | None = None
    job_type: OneOf | None = None

    @model_validator(mode="after")
    def _in_order(self) -> ExportFilters:
        if self.created_after and self.created_before and self.created_after >= self.created_before:
            raise PydanticCustomError("empty_span", "createdAfter must be before createdBefore")
        return self

    def by_column(self) -> dict[str, tuple[str, ...]]:
        """The filters on columns that were given: the values of which one must fit."""
        given = self.model_dump(exclude={"created_after", "created_before"}, exclude_none=True)
        return {column: tuple(values) for column, values in given.items()}


class ExportData(Payload, type=JobType.EXPORT_DATA):
    """An organization's rows as a file in S3; the job's `organization_id` says whose, its `user_id` whom to tell.

    `columns` are in the file's order; without them it is all that may be exported. Raises InvalidJob where the entity
    has no such column or filter.

        ExportData(entity_type="invoices", filters=ExportFilters(status=["open"]), columns=["number", "amount_due"])
    """

    entity_type: EntityType
    format: ExportFormat = ExportFormat.CSV
    filters: ExportFilters = ExportFilters()
    columns: tuple[str, ...] | None = Field(None, min_length=1)

    @field_validator("columns")
    @classmethod
    def _columns_may_leave(
        cls, columns: tuple[str, ...] | None, fields: ValidationInfo
    ) -> tuple[str, ...] | None:
        entity = fields.data.get("entity_type")
        if columns is None or entity is None:
            return columns
        _require(columns, COLUMNS[entity], f"{entity} can be exported with")
        if len(set(columns)) < len(columns):
            raise PydanticCustomError("repeated", "each column can be there once")
        return columns

    @field_validator("filters")
    @classmethod
    def _filters_are_known(cls, filters: ExportFilters, fields: ValidationInfo) -> ExportFilters:
        entity = fields.data.get("entity_type")
        if entity is None:
            return filters
        known = FILTERS[entity]
        given = filters.by_column()
        _require(given, ("created_after", "created_before", *known), f"{entity} can be filtered by")
        for column, values in given.items():
            allowed = known[column]
            if allowed is not None:
                _require(values, allowed, f"{column} can be")
        return filters


def _require(given: Iterable[str], allowed: tuple[str, ...], words: str) -> None:
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        # As values: the words may hold braces, which would be read as their places.
        raise PydanticCustomError(
            "not_allowed",
            "{words} {allowed}; not {unknown}",
            {"words": words, "allowed": ", ".join(allowed), "unknown": ", ".join(unknown)},
        )
