"""SendReminder: either one applicant's reminder or the check, and which reminder follows which."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.registry import JobType, get_job_config


def test_the_registry_finds_it() -> None:
    assert get_job_config(JobType.SEND_REMINDER).payload is SendReminder


@pytest.mark.parametrize(
    "wire",
    [
        {"reminderType": "day1"},
        {"reminderType": "day1", "afterApplicationId": 500},
        {"reminderType": "day1", "applicantId": 7},
        {"reminderType": "missingDocs", "applicantId": 7, "applicationId": 9},
    ],
)
def test_survives_the_wire(wire: dict[str, Any]) -> None:
    payload = SendReminder(**wire)

    assert payload.model_dump(mode="json", by_alias=True, exclude_none=True) == wire
    assert SendReminder.model_validate(wire | {"addedLater": 1}, extra="ignore") == payload


@pytest.mark.parametrize(
    ("wire", "field", "what"),
    [
        ({}, "reminderType", "Field required"),
        ({"reminderType": "day2", "applicantId": 7}, "reminderType", "Input should be 'day1', "),
        ({"reminderType": "day1", "applicantId": 0}, "applicantId", "Input should be greater than 0"),
        ({"reminderType": "day1", "addedLater": 1}, "addedLater", "Extra inputs are not permitted"),
        ({"reminderType": "day3"}, "payload", "applicantId is missing"),
        ({"reminderType": "missingDocs"}, "payload", "applicantId is missing"),
        ({"reminderType": "day1", "applicationId": 9}, "payload", "applicantId is missing"),
        (
            {"reminderType": "day1", "applicantId": 7, "afterApplicationId": 9},
            "payload",
            "afterApplicationId is the check's",
        ),
    ],
)
def test_the_error_says_what_is_wrong(wire: dict[str, Any], field: str, what: str) -> None:
    with pytest.raises(InvalidJob) as error:
        SendReminder(**wire)

    assert dict(error.value.problems)[field].startswith(what)


def test_the_series() -> None:
    assert {each: each.wait for each in ReminderType if each.in_series} == {
        "day1": timedelta(days=1),
        "day3": timedelta(days=3),
        "day5": timedelta(days=5),
        "day7": timedelta(days=7),
    }
    assert ReminderType.DAY3.later == ["day5", "day7"]
    assert ReminderType.DAY7.later == []
    assert ReminderType.MISSING_DOCS.later == []
