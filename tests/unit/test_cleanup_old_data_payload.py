"""What a cleanup may be told, and how it travels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.cleanup_old_data import CleanupOldData, Retention


def test_it_travels_as_camel_case_and_back() -> None:
    payload = CleanupOldData(
        retention=Retention(failed_jobs=None, activity_logs=90),
        archive=True,
        carried={"activity_logs": 20_000},
    )
    wire = json.loads(payload.model_dump_json(by_alias=True))
    assert wire == {
        "retention": {
            "completedJobs": 30,
            "cancelledJobs": 30,
            "failedJobs": None,
            "webhookEvents": 90,
            "emailDeliveries": 365,
            "activityLogs": 90,
        },
        "archive": True,
        "dryRun": False,
        "carried": {"activity_logs": 20_000},
    }
    assert CleanupOldData.model_validate_json(json.dumps(wire)) == payload


def test_an_empty_payload_is_the_defaults() -> None:
    assert CleanupOldData.model_validate_json("{}") == CleanupOldData()


def test_a_worker_passes_over_fields_of_newer_code() -> None:
    wire = {"retention": {"activityLogs": 7, "newer": 1}, "newer": 1}
    read = CleanupOldData.model_validate_json(json.dumps(wire), extra="ignore")
    assert read == CleanupOldData(retention=Retention(activity_logs=7))


def test_by_default_dead_letters_are_kept_longer_than_other_jobs() -> None:
    kept = Retention()
    assert (kept.failed_jobs or 0) > (kept.completed_jobs or 0) == (kept.cancelled_jobs or 0)


@pytest.mark.parametrize("days", [0, -1, 0.5, "30", True, 36_501])
@pytest.mark.parametrize("table", Retention.model_fields)
def test_a_table_is_kept_for_whole_days_and_at_least_one(table: str, days: Any) -> None:
    with pytest.raises(InvalidJob):
        Retention(**{table: days})
    with pytest.raises(InvalidJob) as raised:
        CleanupOldData(retention={table: days})
    assert raised.value.field.startswith("retention.")


def test_an_unknown_table() -> None:
    with pytest.raises(InvalidJob, match=r"retention\.users"):
        CleanupOldData(retention={"users": 1})


def test_what_was_carried_is_no_less_than_nothing() -> None:
    with pytest.raises(InvalidJob, match="carried"):
        CleanupOldData(carried={"activity_logs": -1})
