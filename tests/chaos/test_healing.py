"""What counts as a wait, and from when it is counted."""

from __future__ import annotations

import pytest

from tests.chaos.healing import Step, Sweep, Wait, healed_in, waits


def _step(
    at: float, status: str, attempt: int = 0, error: str | None = None, errors: int = 0, run: int = 1
) -> Step:
    return Step(at, status, run, attempt, errors, error)


def test_a_lost_attempt_counts_from_its_beginning_to_the_next_one() -> None:
    history = [
        _step(0, "pending"),
        _step(1, "processing", 1),
        _step(60, "retrying", 1, "AttemptLost", 1),
        _step(62, "processing", 2, "AttemptLost", 1),
        _step(63, "completed", 2, "AttemptLost", 1),
    ]
    assert list(waits(history)) == [Wait("accepted", 0, 1), Wait("attempt lost", 1, 62)]


def test_a_lost_attempt_that_another_takes_over() -> None:
    history = [
        _step(0, "pending"),
        _step(1, "processing", 1),
        _step(17, "processing", 2, "AttemptLost", 1),
        _step(18, "completed", 2, "AttemptLost", 1),
    ]
    assert list(waits(history)) == [Wait("accepted", 0, 1), Wait("attempt lost", 1, 17)]


def test_a_lost_attempt_that_was_the_last_counts_to_the_end() -> None:
    history = [
        _step(0, "pending"),
        _step(1, "processing", 1),
        _step(70, "failed", 1, "AttemptLost", 1),
        _step(80, "pending", 1, "AttemptLost", 1, run=2),
        _step(82, "processing", 2, "AttemptLost", 1, run=2),
    ]
    assert list(waits(history)) == [
        Wait("accepted", 0, 1),
        Wait("attempt lost", 1, 70),
        Wait("replayed", 80, 82),
    ]


def test_an_attempt_that_says_how_it_ended_is_not_lost() -> None:
    history = [
        _step(0, "processing", 1),
        _step(2, "retrying", 1, "Unlucky", 1),
        _step(3, "retrying", 1, "DeliveryFailed", 2),
        _step(9, "processing", 2, "DeliveryFailed", 2),
    ]
    assert list(waits(history))[-1] == Wait("attempt ended", 2, 9, given_back=[3])


def test_a_delayed_job_is_accepted_when_it_is_due() -> None:
    delayed = Step(0, "pending", 1, 0, not_before=30)
    assert list(waits([delayed, _step(31, "processing", 1)])) == [Wait("accepted", 30, 31)]


def test_an_accepted_job_has_healed_when_qstash_has_it() -> None:
    history = [_step(0, "pending"), Step(70, "pending", 1, 0, published=True), _step(90, "processing", 1)]
    assert list(waits(history)) == [Wait("accepted", 0, 70)]


@pytest.mark.parametrize(
    ("sweeps", "seconds"),
    [
        ([], 100),
        ([Sweep(50, 51)], 100),
        ([Sweep(50, 51, hurt_until=52)], 48),
        ([Sweep(5, 6, hurt_until=6)], 100),  # before a lease could end
        ([Sweep(98, 99, hurt_until=120)], 100),  # which it did not need any more
    ],
)
def test_only_a_fault_that_hit_the_healing_is_counted_from(sweeps: list[Sweep], seconds: float) -> None:
    assert healed_in(Wait("attempt lost", 0, 100), sweeps) == seconds


def test_a_message_that_was_given_up_is_counted_from() -> None:
    assert healed_in(Wait("attempt lost", 0, 100, given_back=[40]), []) == 60
