"""What a run can end as."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, get_args

import pytest

from shared.outcomes import Cancel, Complete, Fail, Outcome, Retry


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (0, 0.0),
        (42, 42.0),
        (0.5, 0.5),
        (timedelta(minutes=2), 120.0),
        (timedelta(milliseconds=1), 0.001),
        (-5, 0.0),
        (timedelta(seconds=-5), 0.0),
        (86_400, 86_400.0),
        (86_401, 86_400.0),
        (timedelta(days=3), 86_400.0),
        (float("inf"), 86_400.0),
    ],
)
def test_a_retry_waits_from_nothing_to_a_day(after: float | timedelta, seconds: float) -> None:
    assert Retry(after).seconds == seconds


@pytest.mark.parametrize("after", ["60", None, float("nan")])
def test_a_retry_after_what_is_no_time_is_refused_where_it_is_made(after: Any) -> None:
    """In the handler, whose error is recorded; later on, the worker itself would stumble and leave the job hanging."""
    with pytest.raises((TypeError, ValueError)):
        Retry(after)


def test_a_retry_has_a_reason_of_its_own() -> None:
    assert Retry(1).reason == "the handler asked for a retry"
    assert Retry(1, "busy").reason == Retry(after=1, reason="busy").reason == "busy"


def test_complete_needs_no_result() -> None:
    assert Complete().result is None
    assert Complete({"a": 1}).result == {"a": 1}


@pytest.mark.parametrize("made", [Cancel, Fail, Retry])
def test_an_end_without_success_says_why(made: Any) -> None:
    with pytest.raises(TypeError):
        made()


@pytest.mark.parametrize("outcome", [Complete(1), Retry(1), Cancel("a"), Fail("a")])
def test_an_outcome_is_a_value(outcome: Any) -> None:
    assert isinstance(outcome, Outcome)
    assert outcome == dataclasses.replace(outcome)
    (first, *_rest) = dataclasses.fields(outcome)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(outcome, first.name, 2)


def test_outcomes_of_different_kinds_are_never_equal() -> None:
    assert len({Cancel("a"), Fail("a"), Complete("a"), Retry(1, "a")}) == 4
    assert set(get_args(Outcome)) == {Complete, Retry, Cancel, Fail}
