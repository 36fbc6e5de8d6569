"""What an export may ask for, and how it travels."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.export_data import COLUMNS, FILTERS, EntityType, ExportData, ExportFilters, ExportFormat

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_travels_as_camel_case_and_back() -> None:
    payload = ExportData(
        entity_type=EntityType.JOB_EXECUTIONS,
        format=ExportFormat.JSONL,
        filters=ExportFilters(created_after=AT, status=("failed", "cancelled"), job_type="send-email"),
        columns=("status", "job_id"),
    )
    wire = json.loads(payload.model_dump_json(by_alias=True, exclude_none=True))
    assert wire == {
        "entityType": "job_executions",
        "format": "jsonl",
        "filters": {
            "createdAfter": "2026-01-01T00:00:00Z",
            "status": ["failed", "cancelled"],
            "jobType": ["send-email"],
        },
        "columns": ["status", "job_id"],
    }
    assert ExportData.model_validate_json(json.dumps(wire)) == payload


def test_a_worker_passes_over_fields_of_newer_code() -> None:
    wire = {"entityType": "invoices", "filters": {"status": "open", "newer": 1}, "newer": {"a": 1}}
    read = ExportData.model_validate_json(json.dumps(wire), extra="ignore")
    assert read == ExportData(entity_type=EntityType.INVOICES, filters=ExportFilters(status=("open",)))


def test_without_more_it_is_all_as_csv() -> None:
    payload = ExportData(entity_type=EntityType.USERS)
    assert (payload.format, payload.columns, payload.filters.by_column()) == (ExportFormat.CSV, None, {})


@pytest.mark.parametrize("entity", EntityType)
def test_each_entity_has_columns_and_filters(entity: EntityType) -> None:
    columns = COLUMNS[entity]
    assert len(set(columns)) == len(columns) > 0
    for column, values in FILTERS[entity].items():
        assert column in columns
        some = values or ("anything",)
        for chosen in (some[0], some):
            filters = ExportFilters(**{column: chosen})
            assert ExportData(entity_type=entity, filters=filters, columns=columns).columns == columns


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({}, "entityType", "Field required"),
        ({"entity_type": "payments"}, "entity_type", "'users', 'memberships'"),
        ({"entity_type": "users", "format": "xlsx"}, "format", "'csv' or 'jsonl'"),
        ({"entity_type": "users", "columns": []}, "columns", "at least 1 item"),
        ({"entity_type": "users", "columns": ["email", "email"]}, "columns", "each column can be there once"),
        (
            {"entity_type": "users", "columns": ["email", "password", "{x}"]},
            "columns",
            "users can be exported with id, email, name, phone, locale, time_zone, created_at, updated_at; not password, {x}",
        ),
        ({"entity_type": "job_executions", "columns": ["payload"]}, "columns", "not payload"),
        (
            {"entity_type": "users", "filters": {"status": "open"}},
            "filters",
            "users can be filtered by created_after, created_before; not status",
        ),
        (
            {"entity_type": "invoices", "filters": {"status": ["paid", "lost"]}},
            "filters",
            "status can be draft, open, paid, void, uncollectible; not lost",
        ),
        ({"entity_type": "invoices", "filters": {"status": []}}, "filters.status", "at least 1 item"),
        ({"entity_type": "invoices", "filters": {"stauts": "open"}}, "filters.stauts", "not permitted"),
        (
            {"entity_type": "users", "filters": {"created_after": "2026-01-01T00:00:00"}},
            "filters.created_after",
            "timezone",
        ),
        (
            {"entity_type": "users", "filters": {"created_after": AT, "created_before": AT}},
            "filters",
            "createdAfter must be before createdBefore",
        ),
    ],
)
def test_what_is_wrong_is_said_at_once(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        ExportData(**fields)
    assert raised.value.field == field
    assert words in str(raised.value)
