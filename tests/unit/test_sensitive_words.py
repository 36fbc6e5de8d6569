"""What is said of a sensitive job: names, kinds and places in the code, and nothing that it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, ValidationError, field_serializer

from shared.envelope import Payload, problems
from shared.errors import InvalidJob
from shared.failures import describe, outline
from shared.job_request import JobRequest, checked
from shared.registry import REGISTRY, JobType, is_sensitive

CANARY = "canary-7f3a"


def _refuse(value: str) -> str:
    if value.startswith("bad"):
        raise ValueError(f"{value} is not good")
    return value


class Told(Payload, type=JobType.CRM_MATCH):
    text: Annotated[str, AfterValidator(_refuse)] = "hello"
    counted_by: dict[str, int] | None = None


class Odd(Payload, type=JobType.CRM_MATCH):
    text: str = "hello"

    @field_serializer("text")
    def _fail(self, value: str) -> str:
        raise ValueError(value)


@pytest.fixture
def sensitive(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = replace(REGISTRY[JobType.CRM_MATCH], sensitive=True)
    monkeypatch.setitem(REGISTRY, JobType.CRM_MATCH, marked)


def test_no_type_is_sensitive_unless_marked(sensitive: None) -> None:
    assert is_sensitive("crm-match")
    assert is_sensitive(JobType.CRM_MATCH)
    assert not any(map(is_sensitive, ("send-email", "unknown", None)))


@pytest.mark.usefixtures("sensitive")
@pytest.mark.parametrize("show", [repr, str, lambda told: repr(JobRequest(told)), lambda told: f"{told!r}"])
def test_a_payload_shows_its_fields_names(show: Any) -> None:
    shown = show(Told(text=CANARY))
    assert CANARY not in shown
    assert "text=" in shown


def test_a_plain_payload_shows_its_values() -> None:
    assert CANARY in repr(Told(text=CANARY))


WRONG: list[dict[str, Any]] = [
    {"text": [CANARY]},
    {"text": f"bad {CANARY}"},
    {"countedBy": {CANARY: "many"}},
    {CANARY: 1},
]


@pytest.mark.usefixtures("sensitive")
@pytest.mark.parametrize(
    ("given", "field"), list(zip(WRONG, ["text", "text", "countedBy", "payload"], strict=True))
)
def test_an_error_names_the_field_and_the_kind(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJob, match="is not valid") as caught:
        Told(**given)
    assert caught.value.field == field
    assert CANARY not in str(caught.value)
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    with pytest.raises(ValidationError) as read:
        Told.model_validate(given)
    assert CANARY not in str(problems(read.value, Told))


@pytest.mark.parametrize("given", WRONG[1:])
def test_of_a_plain_type_it_says_more(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob, match=CANARY):
        Told(**given)


@pytest.mark.parametrize("given", WRONG)
def test_pydantics_own_text_has_no_input(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Told.model_validate(given)
    assert "input_value" not in str(caught.value)


@pytest.mark.usefixtures("sensitive")
def test_what_cannot_be_sent_is_not_quoted() -> None:
    not_text: Any = [CANARY]
    for wrong in (Odd(text=CANARY), Told.model_construct(text=not_text)):
        with pytest.raises(InvalidJob) as caught:
            checked(wrong)
        assert CANARY not in str(caught.value)
        assert caught.value.__context__ is None


# --- exceptions --------------------------------------------------------------------------------------------


def fail_in_layers(value: str) -> None:
    try:
        try:
            int(value)
        except ValueError as error:
            error.add_note(value)
            raise LookupError(value) from error
    except LookupError as error:
        raise ExceptionGroup(value, [error, TypeError(value)]) from None


def raised(value: str) -> BaseException:
    try:
        fail_in_layers(value)
    except ExceptionGroup as error:
        return error
    raise AssertionError


def test_an_outline_has_types_and_frames_and_no_words() -> None:
    failure = outline(raised(CANARY))
    assert failure.type == "ExceptionGroup"
    assert CANARY not in failure.message
    assert failure.traceback is not None
    assert CANARY not in failure.traceback
    for there in ("fail_in_layers", "ValueError", "LookupError", "TypeError", "int(value)"):
        assert there in failure.traceback
    assert CANARY in (describe(raised(CANARY)).traceback or "")


def test_an_outline_of_an_error_that_leads_to_itself_ends() -> None:
    error = ValueError(CANARY)
    error.__cause__ = error
    assert outline(error).traceback == "Traceback (most recent call last):\nValueError\n"


def test_an_outline_may_be_given_words() -> None:
    assert outline(ValueError(CANARY), "timed out").message == "timed out"
