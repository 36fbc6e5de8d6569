"""SendNotification: type, template and data fit together, and an adverse action lacks nothing that the law wants."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.send_notification import (
    ApplicationReceived,
    NotificationTemplate,
    NotificationType,
    SendNotification,
)
from shared.registry import JobType, get_job_config
from tests.integration.workers.notifying import ADVERSE, SCORE, adverse_action, confirmation, reminder

EACH = [adverse_action(7), reminder(7), confirmation(7)]
each_notice = pytest.mark.parametrize("notice", EACH, ids=lambda each: each.type.value)


def to_wire(notice: SendNotification) -> dict[str, Any]:
    return notice.model_dump(mode="json", by_alias=True)


def refused(payload: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidJob) as error:
        SendNotification(**payload)
    return dict(error.value.problems)


def without(path: str) -> dict[str, Any]:
    data = copy.deepcopy(ADVERSE)
    *way, last = path.split(".")
    holder = data
    for step in way:
        holder = holder[step]
    del holder[last]
    return data


def test_the_registry_finds_it() -> None:
    assert get_job_config(JobType.SEND_NOTIFICATION).payload is SendNotification


def test_there_is_a_sample_of_every_type_and_template() -> None:
    assert {each.type for each in EACH} == set(NotificationType)
    assert {each.template_id for each in EACH} == set(NotificationTemplate)


@each_notice
def test_survives_the_wire(notice: SendNotification) -> None:
    assert SendNotification.model_validate(to_wire(notice)) == notice
    assert SendNotification(**to_wire(notice)) == notice


def test_the_wire_form() -> None:
    assert to_wire(confirmation(7)) == {
        "type": "confirmation",
        "templateId": "applicationReceived",
        "recipientId": 7,
        "templateData": {
            "listingTitle": "Two bedrooms on Elm Street",
            "receivedAt": "2026-05-01T09:30:00Z",
            "applicationUrl": "https://app.example.com/applications/1",
        },
    }


@each_notice
def test_workers_ignore_unknown_fields_everywhere(notice: SendNotification) -> None:
    wire = to_wire(notice)
    newer = wire | {"addedLater": 1, "templateData": wire["templateData"] | {"addedLater": 1}}

    assert SendNotification.model_validate(newer, extra="ignore") == notice
    assert set(refused(newer)) == {"payload", "templateData"}  # a name nobody declared is somebody's data


# --- what the law wants ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        "action",
        "decidedOn",
        "agency",
        "agency.name",
        "agency.address",
        "agency.tollFreePhone",
        "creditScore",
        "creditScore.score",
        "creditScore.lowest",
        "creditScore.highest",
        "creditScore.scoredOn",
        "creditScore.source",
        "creditScore.keyFactors",
    ],
)
def test_an_adverse_action_without_a_part_is_refused_by_its_name(part: str) -> None:
    wire = to_wire(adverse_action(7)) | {"templateData": without(part)}

    assert refused(wire).keys() == {f"templateData.{part}"}


def test_every_missing_part_is_named_at_once() -> None:
    wire = to_wire(adverse_action(7)) | {"templateData": {}}

    assert refused(wire).keys() == {
        f"templateData.{part}" for part in ("action", "decidedOn", "agency", "creditScore")
    }


def test_where_no_score_was_used_it_says_so() -> None:
    notice = adverse_action(7, creditScore=None)

    assert to_wire(notice)["templateData"]["creditScore"] is None


@pytest.mark.parametrize("empty", ["", "   ", None])
@pytest.mark.parametrize("part", ["name", "address", "tollFreePhone"])
def test_an_empty_part_is_none(part: str, empty: Any) -> None:
    wire = to_wire(adverse_action(7, agency=ADVERSE["agency"]))
    wire["templateData"]["agency"] |= {part: empty}

    assert refused(wire).keys() == {f"templateData.agency.{part}"}


@pytest.mark.parametrize("phone", ["800-555-0199", "(888) 555-0100", "+1 877 555 0100", "1-866-555-0100"])
def test_a_toll_free_number(phone: str) -> None:
    wire = to_wire(adverse_action(7, agency=ADVERSE["agency"] | {"tollFreePhone": phone}))

    assert wire["templateData"]["agency"]["tollFreePhone"] == phone


@pytest.mark.parametrize("phone", ["212-555-0199", "800-555", "+44 800 555 0199", "call us", "8005550199800"])
def test_a_number_that_is_not_toll_free(phone: str) -> None:
    wire = to_wire(adverse_action(7)) | {
        "templateData": ADVERSE | {"agency": ADVERSE["agency"] | {"tollFreePhone": phone}}
    }

    assert refused(wire).keys() == {"templateData.agency.tollFreePhone"}


@pytest.mark.parametrize(
    "changes",
    [
        {"score": 299},
        {"score": 851},
        {"lowest": 900},
        {"score": "613"},
        {"keyFactors": []},
        {"keyFactors": ["x"] * 6},
    ],
)
def test_a_score_makes_sense(changes: dict[str, Any]) -> None:
    score = ADVERSE["creditScore"] | changes

    assert all(
        field.startswith("templateData.creditScore")
        for field in refused(to_wire(adverse_action(7)) | {"templateData": ADVERSE | {"creditScore": score}})
    )


def test_no_error_and_no_repr_shows_the_score() -> None:
    notice = adverse_action(7)
    with pytest.raises(InvalidJob) as error:
        adverse_action(7, creditScore=ADVERSE["creditScore"] | {"highest": SCORE - 1})

    assert str(SCORE) not in str(error.value) + repr(notice) + repr(notice.template_data)


# --- fitting together --------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", NotificationType)
@each_notice
def test_a_template_is_of_one_type(notice: SendNotification, asked: NotificationType) -> None:
    wire = to_wire(notice) | {"type": asked.value}

    if asked != notice.type:
        assert list(refused(wire)) == ["templateId"]


def test_typed_data_of_another_type_is_refused() -> None:
    assert list(
        refused({"type": "reminder", "recipientId": 7, "templateData": confirmation(7).template_data})
    )


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"templateId": "goodbye"}, "templateId"),
        ({"type": "spam"}, "type"),
        ({"recipientId": 0}, "recipientId"),
        ({"recipientId": None}, "recipientId"),
        ({"templateData": None}, "templateData"),
        ({"templateData": {"listingTitle": "x"}}, "templateData.receivedAt"),
    ],
)
def test_the_error_names_the_field(payload: dict[str, Any], field: str) -> None:
    assert field in refused(to_wire(confirmation(7)) | payload)


def test_without_type_or_template_a_dict_is_refused() -> None:
    assert set(refused({"recipientId": 7, "templateData": {}})) == {"type", "template_id"}


def test_typed_data_names_type_and_template() -> None:
    data = ApplicationReceived(
        listing_title="Two bedrooms on Elm Street",
        received_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
        application_url="https://app.example.com/applications/1",
    )

    for notice in (
        SendNotification(recipient_id=7, template_data=data),
        SendNotification(type=NotificationType.CONFIRMATION, recipient_id=7, template_data=data),
    ):
        assert notice == confirmation(7)
